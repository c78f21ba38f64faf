#include "base/timed_condition.hpp"

namespace enprof {

void TimedCondition::set_clock(const Clock& clock) {
  end_thread();
  clock_ = &clock;
  stepped_ = dynamic_cast<const SteppedClock*>(&clock);
}

void TimedCondition::begin_thread() {
  if (stepped_ != nullptr) {
    stepped_->set_working(*this);
    has_thread_ = true;
  }
}

void TimedCondition::end_thread() {
  if (has_thread_.exchange(false)) {
    stepped_->forget(*this);
  }
}

void TimedCondition::notify() noexcept {
  if (stepped_ == nullptr) {
    changed_.notify_one();
    return;
  }
  if (has_thread_) {
    stepped_->set_working(*this);  // first: if there is nothing to do, it waits again
  }
  look_again();
}

void TimedCondition::look_again() noexcept {
  {
    const std::lock_guard lock(steps_mutex_);
    ++steps_;
  }
  changed_.notify_one();
}

// Who moves the clock does not hold the lock that the condition is looked at with. So what ends the
// wait is counted under a lock of its own.
bool TimedCondition::wait_for_steps(std::unique_lock<std::mutex>& lock, Instant until,
                                    const std::function<bool()>& is_met) {
  const auto steps = [this] {
    const std::lock_guard steps_lock(steps_mutex_);
    return steps_;
  };
  while (!is_met()) {
    const std::uint64_t seen = steps();
    stepped_->set_waiting(*this, until);  // from here on it gets the clock's steps
    if (stepped_->now() >= until) {
      break;
    }
    lock.unlock();
    {
      std::unique_lock steps_lock(steps_mutex_);
      changed_.wait(steps_lock, [&] { return steps_ != seen; });
    }
    lock.lock();
  }
  if (has_thread_) {
    stepped_->set_working(*this);
  } else {
    stepped_->forget(*this);
  }
  return is_met();
}

}  // namespace enprof
