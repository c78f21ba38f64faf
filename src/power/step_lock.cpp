#include "power/step_lock.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace enprof {
namespace {

constexpr Nanoseconds kShortestGuard = std::chrono::microseconds{20};
constexpr Nanoseconds kFirstGuard = std::chrono::microseconds{150};
constexpr Nanoseconds kGuardShrink{500};
constexpr double kMissesPerHit = 1.0 / 20;
/// Polls closer together than this are not worth a sleep between them.
constexpr Nanoseconds kShortestSleep = std::chrono::microseconds{100};
/// A period is searched, and an uncertain step approached, in so many polls.
constexpr int kPolls = 32;
/// So many readings in a row without a step mean that the phase is lost.
constexpr unsigned kLostAfter = 3;
/// Readings between two searches in vain, at most.
constexpr unsigned kLongestPause = 8;
/// How fast phase and period follow what is seen: a step may jitter, a period drifts slowly.
constexpr double kPhaseGain = 0.5;
constexpr double kPeriodGain = 0.1;

double ns(Nanoseconds duration) { return static_cast<double>(duration.count()); }
Nanoseconds from_ns(double value) {
  return Nanoseconds{static_cast<Nanoseconds::rep>(std::llround(value))};
}

}  // namespace

StepLock::StepLock(const Settings& settings, const Clock& clock, const Sleeper& sleeper)
    : settings_(settings),
      clock_(&clock),
      sleeper_(&sleeper),
      period_ns_(ns(settings.period)),
      uncertainty_(settings.period),
      guard_(std::min(kFirstGuard, settings.period / 4)),
      budget_ns_(ns(kLongestSpin)) {}

Nanoseconds StepLock::period() const { return from_ns(period_ns_); }

Nanoseconds StepLock::stamp_error() const {
  const double squares =
      counts_.locked > 0 ? squares_ / static_cast<double>(counts_.locked) : period_ns_ * period_ns_;
  return from_ns(std::sqrt(squares) * std::numbers::inv_sqrt3 / 2);
}

void StepLock::lose() {
  phase_.reset();
  uncertainty_ = period();
  misses_ = 0;
  pause_ = 0;
  pauses_ = 0;
}

StepLock::Reading StepLock::read(CounterInput& input) {
  const Instant begin = clock_->now();
  refill(begin);
  const Instant deadline = begin + 2 * period() + guard();
  if (pause_ > 0) {
    --pause_;
  } else if (budget_ns_ > 0) {
    const auto step = phase_ ? meet(input, deadline) : search(input, deadline);
    if (!step) {
      return {.value = std::unexpected(step.error()), .at = clock_->now(), .seen = clock_->now()};
    }
    if (*step) {
      misses_ = 0;
      pauses_ = 0;
      ++counts_.locked;
      squares_ += ns((*step)->width) * ns((*step)->width);
      return {.value = (*step)->value,
              .locked = true,
              .at = (*step)->at,
              .seen = (*step)->seen,
              .width = (*step)->width};
    }
    if (!phase_) {
      pauses_ = std::clamp(2 * pauses_, 1U, kLongestPause);
      pause_ = pauses_;
    } else if (++misses_ >= kLostAfter) {
      lose();
    }
  }
  return read_plainly(input);
}

StepLock::Reading StepLock::read_plainly(CounterInput& input) {
  Reading reading{.value = input.read()};
  reading.at = reading.seen = clock_->now();
  counts_.unlocked += reading.value ? 1U : 0U;
  return reading;
}

bool StepLock::learn(CounterInput& input, std::size_t steps) {
  lose();
  knows_period_ = true;  // it is about to be
  period_ns_ = ns(settings_.period);
  std::vector<double> apart;
  std::optional<Instant> last;
  for (std::size_t count = 0; count <= steps; ++count) {
    const Instant until = clock_->now() + 2 * settings_.period;
    const auto step = last && uncertainty_ < settings_.period / kPolls ? watch(input, until)
                                                                       : search(input, until);
    if (!step || !*step) {
      lose();
      knows_period_ = false;
      return false;
    }
    if (last) {
      apart.push_back(ns((*step)->at - *last));
    }
    last = (*step)->at;
    phase_ = last;
    uncertainty_ = (*step)->width;
    ++counts_.locked;
    squares_ += ns((*step)->width) * ns((*step)->width);
  }
  // The median: one step may have gone unseen while another process had the CPU.
  const auto middle = apart.begin() + static_cast<std::ptrdiff_t>(apart.size() / 2);
  std::ranges::nth_element(apart, middle);
  period_ns_ = std::max(*middle, ns(settings_.period) / kPolls);
  met_ = static_cast<unsigned>(steps);
  misses_ = 0;
  return true;
}

Nanoseconds StepLock::guard() const {
  return std::min(std::max(guard_, uncertainty_), period() / 2);
}

Nanoseconds StepLock::gap() const {
  const Nanoseconds gap = std::min(uncertainty_, period()) / kPolls;
  return gap >= kShortestSleep ? gap : Nanoseconds{0};
}

Instant StepLock::next_step(Instant after) const {
  const double periods = std::max(1.0, std::ceil(ns(after - *phase_) / period_ns_));
  return *phase_ + from_ns(periods * period_ns_);
}

Result<std::optional<StepLock::Step>> StepLock::search(CounterInput& input, Instant deadline) {
  uncertainty_ = period();
  auto step = watch(input, deadline);
  if (step && *step && !knows_period_) {
    const Step first = **step;
    step = watch(input, first.at + 2 * period());
    if (step && *step) {
      period_ns_ = ns((*step)->at - first.at);
      (*step)->width += first.width;
      knows_period_ = true;
    }
  }
  if (step && *step) {
    phase_ = (*step)->at;
    uncertainty_ = (*step)->width;
    met_ = 0;
  }
  return step;
}

Result<std::optional<StepLock::Step>> StepLock::meet(CounterInput& input, Instant deadline) {
  Instant from = clock_->now();
  while (true) {
    const Instant due = next_step(from + guard());
    const Instant until = due + guard();
    if (until > deadline) {
      return std::nullopt;
    }
    sleeper_->sleep_until(due - guard());
    const Instant woke = clock_->now();
    if (woke >= due) {
      missed(counts_.late_wakes);
      from = woke;
      continue;
    }
    const auto step = watch(input, until);
    if (!step) {
      return std::unexpected(step.error());
    }
    // One that was seen through a long pause, as others had the CPU, is none.
    if (*step && (*step)->width <= std::max(period() / 8, uncertainty_)) {
      met(**step, due, woke);
      return step;
    }
    missed(counts_.missed_steps);
    from = clock_->now();
  }
}

Result<std::optional<StepLock::Step>> StepLock::watch(CounterInput& input, Instant until) {
  Instant before = clock_->now();
  const Instant begin = before;
  const auto first = input.read();
  Instant after = clock_->now();
  const Nanoseconds pause = gap();
  Nanoseconds slept{0};
  Result<std::optional<Step>> result = std::nullopt;
  while (first && after < until) {
    Instant again = after;
    if (pause > Nanoseconds{0}) {
      sleeper_->sleep_until(after + pause);
      again = clock_->now();
      slept += again - after;
    }
    const auto value = input.read();
    const Instant now = clock_->now();
    if (!value) {
      result = std::unexpected(value.error());
      break;
    }
    if (*value != *first) {
      // The old value was there after `before`, the new one before `now`.
      result = Step{
          .value = *value, .at = before + (now - before) / 2, .seen = now, .width = now - before};
      after = now;
      break;
    }
    before = again;
    after = now;
  }
  spend(after - begin - slept);
  if (!first) {
    return std::unexpected(first.error());
  }
  return result;
}

void StepLock::met(const Step& step, Instant predicted, Instant woke) {
  const double error = ns(step.at - predicted);
  const double periods = std::max(1.0, std::round(ns(predicted - *phase_) / period_ns_));
  // What was learned from few steps is corrected by more.
  const double newness = 1.0 / ++met_;
  phase_ = predicted + from_ns(std::max(kPhaseGain, newness) * error);
  period_ns_ += std::max(kPeriodGain, newness) * error / periods;
  uncertainty_ = std::max(step.width, from_ns(std::abs(error) / 4));
  const Nanoseconds spare = step.at - woke;
  if (spare > kGuardShrink) {
    guard_ = std::max(kShortestGuard, guard_ - kGuardShrink);
  }
}

void StepLock::missed(std::uint64_t& kind) {
  ++kind;
  guard_ = std::min(guard_ + from_ns(ns(kGuardShrink) / kMissesPerHit), period() / 4);
}

void StepLock::refill(Instant now) {
  if (refilled_) {
    budget_ns_ =
        std::min(budget_ns_ + settings_.spin_share * ns(now - *refilled_), ns(kLongestSpin));
  }
  refilled_ = now;
}

void StepLock::spend(Nanoseconds time) {
  counts_.polled += time;
  budget_ns_ -= ns(time);
}

}  // namespace enprof
