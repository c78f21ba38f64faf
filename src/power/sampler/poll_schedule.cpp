#include "power/sampler/poll_schedule.hpp"

#include <algorithm>
#include <utility>

namespace enprof {

PollSchedule::PollSchedule(Options options) : options_(std::move(options)) {
  if (options_.cpu_share) {
    pace_.emplace(*options_.cpu_share);
  }
}

Nanoseconds PollSchedule::time_to_sleep(Instant now) const {
  if (next_ == Step::nothing) {
    return kLongestSleep;
  }
  return is_due(now) ? Nanoseconds{0} : std::min(kLongestSleep, wake_at_ - now);
}

void PollSchedule::set_started(Instant now) {
  next_ = Step::poll;
  if (pace_) {
    pace_->start(now, options_.cpu_time());
  }
  left_out_ = 0;
  set_due(now + options_.period);
}

std::size_t PollSchedule::plan_next_poll(Instant now, Nanoseconds rest) {
  const std::size_t left_out = left_out_;
  // The next poll is in step with the first, however late this one was; missed polls stay missed.
  const Nanoseconds period = options_.period;
  const Instant next = due_ + period > now ? due_ + period : now + period;
  left_out_ = pace_ ? pace_->left_out(now, options_.cpu_time(), next, period) : 0;
  left_out_ = std::max(left_out_, static_cast<std::size_t>((rest - Nanoseconds{1}) / period));
  set_due(next + period * static_cast<Nanoseconds::rep>(left_out_));
  return left_out;
}

void PollSchedule::set_lost(Instant now) {
  next_ = Step::start;
  due_ = wake_at_ = now + retry_;
  retry_ = std::min(2 * retry_, kLongestRetry);
}

void PollSchedule::set_due(Instant due) {
  due_ = due;
  wake_at_ = std::clamp(options_.wake_for(due), due, due + options_.period);
}

}  // namespace enprof
