#include "power/counter/step_lock.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr Nanoseconds kFirstGuard = std::chrono::microseconds{80};
constexpr Nanoseconds kShortestGuard = std::chrono::microseconds{5};
constexpr Nanoseconds kGuardShrink{1'000};
constexpr int kLateInTime = 4;  // wake-ups in time, to one that is late
/// A step is awaited so many standard deviations before and after it is expected.
constexpr int kSigmas = 2;
/// Polls closer together than this are not worth a sleep between them.
constexpr Nanoseconds kShortestSleep = std::chrono::microseconds{100};
/// A stretch of time is searched in so many polls.
constexpr int kPolls = 32;
/// A step that was seen through more than this part of a period has no stamp.
constexpr int kSharp = 8;
/// So many readings in a row without a step mean that the phase is lost.
constexpr unsigned kLostAfter = 3;
/// Readings between two searches in vain, at most: at 100 Hz two thirds of a second.
constexpr unsigned kLongestPause = 64;
/// So many readings in a row that met their step show that the search before them was not in vain.
constexpr unsigned kSettledAfter = 16;
/// The period is learned from so many steps, or from one where that would take long.
constexpr std::size_t kFollowed = 4;
/// So much a step may be from its place, before it is known.
constexpr Nanoseconds kJitter = std::chrono::microseconds{20};
/// Times as long as the shortest: such a poll was interrupted.
constexpr int kLostCpu = 8;
constexpr Nanoseconds kLongToFollow = std::chrono::milliseconds{10};

Nanoseconds pause_within(Nanoseconds time) {
  return time / kPolls >= kShortestSleep ? time / kPolls : Nanoseconds{0};
}

}  // namespace

StepLock::StepLock(const Settings& settings, const Clock& clock, const Sleeper& sleeper)
    : settings_(settings),
      clock_(&clock),
      sleeper_(&sleeper),
      grid_(settings.period),
      guard_(std::min(kFirstGuard, settings.period / 4)),
      budget_ns_(to_ns(kLongestSpin)) {}

Nanoseconds StepLock::stamp_error() const {
  const double square = counts_.locked > 0 ? squares_ / static_cast<double>(counts_.locked)
                                           : to_ns(period()) * to_ns(period());
  return from_ns(std::sqrt(square) * std::numbers::inv_sqrt3 / 2);
}

void StepLock::forget_phase() {
  grid_.forget_phase();
  misses_ = 0;
  met_ = 0;
  pause_ = 0;
  pauses_ = 0;
}

StepLock::Reading StepLock::read(CounterInput& input) {
  const Instant begin = clock_->now();
  refill(begin);
  const Instant deadline = begin + 2 * period() + guard_;
  if (pause_ > 0) {
    --pause_;
  } else if (budget_ns_ > (is_locked() ? -to_ns(kLongestSpin) : 0.0)) {
    // A search costs as much as many readings may. What it found must be met again soon, or it has
    // been in vain: that is on credit.
    const bool was_locked = is_locked();
    auto step = was_locked ? meet(input, deadline) : search(input, deadline);
    if (!step) {
      const Instant now = clock_->now();
      return {.value = std::unexpected(std::move(step.error())), .at = now, .seen = now};
    }
    if (*step) {
      misses_ = 0;
      met_ += was_locked ? 1U : 0U;
      pauses_ = met_ >= kSettledAfter ? 0 : pauses_;
      count_locked(**step);
      return {.value = (*step)->value,
              .locked = true,
              .at = (*step)->at,
              .seen = (*step)->seen,
              .width = (*step)->width};
    }
    met_ = 0;
    if (was_locked && ++misses_ >= kLostAfter) {
      grid_.forget_phase();
      misses_ = 0;
      knows_period_ = false;  // it was not what it seemed
    }
    if (!is_locked()) {
      pauses_ = std::clamp(2 * pauses_, 1U, kLongestPause);
      pause_ = pauses_;
    }
  }
  return read_plainly(input);
}

StepLock::Reading StepLock::read_plainly(CounterInput& input) {
  auto value = input.read();
  const Instant now = clock_->now();
  Reading reading{.value = std::move(value), .at = now, .seen = now};
  counts_.unlocked += reading.value ? 1U : 0U;
  return reading;
}

bool StepLock::learn(CounterInput& input, std::size_t steps) {
  forget_phase();
  grid_ = StepGrid(settings_.period);
  knows_period_ = true;  // it is about to be
  const auto first = find(input, clock_->now() + 2 * period());
  const auto last = first && *first ? follow(input, **first, steps) : first;
  knows_period_ = last && *last;
  if (!knows_period_) {
    forget_phase();
  }
  return knows_period_;
}

bool StepLock::is_sharp(const Step& step) const { return step.width <= period() / kSharp; }

void StepLock::count_locked(const Step& step) {
  ++counts_.locked;
  squares_ += to_ns(step.width) * to_ns(step.width);
}

StepLock::Watched StepLock::find(CounterInput& input, Instant until) {
  return watch(input, until, pause_within(period()));
}

StepLock::Watched StepLock::search(CounterInput& input, Instant deadline) {
  ++counts_.searches;
  auto step = find(input, deadline);
  if (!step || !*step) {
    return step;
  }
  // Steps that can be awaited no longer, though one is known: the period is not what it seemed.
  if (!knows_period_ || grid_.has_phase()) {
    step = follow(input, **step, period() > kLongToFollow / 2 ? 1 : kFollowed);
    if (!step || !*step) {
      return step;
    }
    knows_period_ = true;
  } else {
    grid_.see((*step)->at, (*step)->width);
  }
  if (!is_sharp(**step)) {
    ++counts_.blurred_steps;
    return std::nullopt;
  }
  return step;
}

StepLock::Watched StepLock::follow(CounterInput& input, const Step& first, std::size_t steps) {
  // Steps that were seen through a long pause, as others had the CPU, tell nothing of the period.
  std::vector<Step> sharp;
  const auto keep = [&](const Step& step) {
    if (step.width <= settings_.period / kSharp) {
      sharp.push_back(step);
    }
  };
  keep(first);
  Step last = first;
  for (std::size_t count = 0; count < steps; ++count) {
    auto step = find(input, clock_->now() + 2 * period());
    if (!step || !*step) {
      return step;
    }
    last = **step;
    keep(last);
    if (is_sharp(last) && count + 1 < steps) {
      count_locked(last);
    }
  }
  if (sharp.size() < 2) {
    ++counts_.blurred_steps;
    return std::nullopt;
  }
  // A step may have gone unseen: the shortest time between two, and those like it, are one period.
  std::vector<Nanoseconds> apart;
  Nanoseconds width{0};
  for (std::size_t index = 1; index < sharp.size(); ++index) {
    apart.push_back(sharp[index].at - sharp[index - 1].at);
    width = std::max(width, sharp[index].width + sharp[index - 1].width);
  }
  const Nanoseconds shortest = std::ranges::min(apart);
  Nanoseconds sum{0};
  int count = 0;
  for (const Nanoseconds time : apart) {
    if (time < shortest + shortest / 2) {
      sum += time;
      ++count;
    }
  }
  grid_ = StepGrid(std::max(sum / count, settings_.period / kPolls), (width + kJitter) / count);
  for (const Step& step : sharp) {
    grid_.see(step.at, step.width);
  }
  return last;
}

Instant StepLock::wake_for(Instant due) noexcept {
  promised_.reset();
  if (!is_locked() || pause_ > 0) {
    return due;
  }
  const Nanoseconds spread = kSigmas * grid_.next(due).error;
  if (spread > period() / 4) {
    return due;
  }
  promised_ = grid_.next(due + guard_ + spread).at;
  return *promised_ - spread - guard_;
}

void StepLock::adapt_guard(bool late) {
  guard_ = late ? std::min(guard_ + kLateInTime * kGuardShrink, period() / 4)
                : std::max(guard_ - kGuardShrink, std::min(kShortestGuard, guard_));
}

StepLock::Watched StepLock::meet(CounterInput& input, Instant deadline) {
  Instant from = clock_->now();
  while (true) {
    const Nanoseconds spread = kSigmas * grid_.next(from + guard_).error;
    if (spread > period() / 4) {
      return budget_ns_ > 0 ? search(input, deadline) : Watched{std::nullopt};
    }
    auto promised = std::exchange(promised_, std::nullopt);
    if (promised && *promised - from > period()) {
      promised.reset();  // read for another reason, before its time
    }
    const bool is_ahead = promised && from < *promised;
    const StepGrid::Expected due = grid_.next(is_ahead ? *promised - period() / 4 : from + spread);
    const Instant earliest = due.at - spread;
    const Instant latest = due.at + spread;
    if (latest > deadline) {
      return std::nullopt;
    }
    if (promised && from < *promised + period()) {  // later than that no guard would have helped
      adapt_guard(from > *promised - spread);
    }
    const bool sleeps = from < earliest - guard_;
    if (sleeps) {
      sleeper_->sleep_until(earliest - guard_);
    }
    const Instant woke = clock_->now();
    if (sleeps) {
      adapt_guard(woke > earliest);
    }
    if (woke >= due.at) {
      ++counts_.late_wakes;
      from = woke;
      continue;
    }
    const auto step = watch(input, latest, pause_within(2 * spread));
    if (!step) {
      return std::unexpected(step.error());
    }
    if (!*step) {
      ++counts_.missed_steps;
      grid_.miss();
    } else {
      grid_.see((*step)->at, (*step)->width);
      if (is_sharp(**step)) {
        return step;
      }
      ++counts_.blurred_steps;
    }
    from = clock_->now();
  }
}

StepLock::Watched StepLock::watch(CounterInput& input, Instant until, Nanoseconds pause) {
  Instant before = clock_->now();
  const auto first = input.read();
  Instant after = clock_->now();
  if (!first) {
    return std::unexpected(first.error());
  }
  // A poll that takes far longer than others has lost the CPU, and not used it.
  Nanoseconds shortest = after - before;
  Nanoseconds used = shortest;
  Watched result = std::nullopt;
  while (after < until) {
    Instant again = after;
    if (pause > Nanoseconds{0}) {
      sleeper_->sleep_until(after + pause);
      again = clock_->now();
    }
    const auto value = input.read();
    after = clock_->now();
    shortest = std::min(shortest, after - again);
    used += std::min(after - again, kLostCpu * shortest);
    if (!value) {
      result = std::unexpected(value.error());
      break;
    }
    if (*value != *first) {
      // The old value was there after `before`, the new one before `after`.
      result = Step{.value = *value,
                    .at = before + (after - before) / 2,
                    .seen = after,
                    .width = after - before};
      break;
    }
    before = again;
  }
  spend(used);
  return result;
}

void StepLock::refill(Instant now) {
  if (refilled_) {
    const double elapsed = to_ns(now - *refilled_);
    const double share = std::min(settings_.spin_share * elapsed,
                                  to_ns(settings_.spin_per_reading) + kRareShare * elapsed);
    budget_ns_ = std::min(budget_ns_ + share, to_ns(kLongestSpin));
  }
  refilled_ = now;
}

void StepLock::spend(Nanoseconds time) {
  counts_.polled += time;
  budget_ns_ -= to_ns(time);
}

}  // namespace enprof
