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
constexpr int kLateInTime = 4;  // wake-ups in time for each late one
/// How many standard deviations before and after its prediction a step is awaited.
constexpr int kSigmas = 2;
/// Polls closer together than this are not worth a sleep between them.
constexpr Nanoseconds kShortestSleep = std::chrono::microseconds{100};
/// The number of polls in a time that is searched.
constexpr int kPolls = 32;
/// A step seen within more than 1/kSharp of a period has no stamp.
constexpr int kSharp = 8;
/// After this many readings in a row without a step, the phase is lost.
constexpr unsigned kLostAfter = 3;
/// The most readings between two searches without success: at 100 Hz, two thirds of a second.
constexpr unsigned kLongestPause = 64;
/// After this many readings in a row that met their step, the search was successful.
constexpr unsigned kSettledAfter = 16;
/// The period is learned from this many steps, or from one if that would take long.
constexpr std::size_t kFollowed = 4;
/// The assumed jitter of steps, before it is known.
constexpr Nanoseconds kJitter = std::chrono::microseconds{20};
/// A poll that takes this many times as long as the shortest was interrupted.
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
    // A search costs as much as many readings may. The step that it found must be met soon, or the
    // search was useless: so a locked reading may poll beyond the budget.
    const bool was_locked = is_locked();
    const std::uint64_t missed = counts_.missed_steps;
    auto step = was_locked ? wait_for_step(input, deadline) : search(input, deadline);
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
    // To wake up after the step says nothing about the prediction.
    misses_ += counts_.missed_steps > missed ? 1U : 0U;
    if (was_locked && misses_ >= kLostAfter) {
      grid_.forget_phase();
      misses_ = 0;
      knows_period_ = false;  // the learned period was wrong
    }
    if (!is_locked()) {
      pauses_ = std::clamp(2 * pauses_, 1U, kLongestPause);
      pause_ = pauses_;
    }
  }
  return read_plainly(input);
}

StepLock::Reading StepLock::read_plainly(CounterInput& input) {
  const Instant begin = clock_->now();
  auto value = input.read();
  const Instant now = clock_->now();
  note_read(begin, now);
  Reading reading{.value = std::move(value), .at = now, .seen = now};
  counts_.unlocked += reading.value ? 1U : 0U;
  return reading;
}

void StepLock::add_bracket(Instant from, Instant to) {
  grid_.add_bracket(from, to);
  misses_ = 0;
  pause_ = 0;
}

void StepLock::add_miss() {
  grid_.add_miss();
  if (kSigmas * grid_.next(clock_->now()).error > period() / 4) {
    forget_phase();
  }
}

bool StepLock::learn(CounterInput& input, std::size_t steps) {
  forget_phase();
  grid_ = StepGrid(settings_.period);
  knows_period_ = true;  // it will be learned now
  const auto first = poll_for_step(input, clock_->now() + 2 * period());
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

StepLock::Watched StepLock::poll_for_step(CounterInput& input, Instant until) {
  return poll_until_change(input, until, pause_within(period()));
}

StepLock::Watched StepLock::search(CounterInput& input, Instant deadline) {
  ++counts_.searches;
  auto step = poll_for_step(input, deadline);
  if (!step || !*step) {
    return step;
  }
  // A phase is known, but steps cannot be predicted: the learned period was wrong.
  if (!knows_period_ || grid_.has_phase()) {
    step = follow(input, **step, period() > kLongToFollow / 2 ? 1 : kFollowed);
    if (!step || !*step) {
      return step;
    }
    knows_period_ = true;
  } else {
    grid_.add_step((*step)->at, (*step)->width);
  }
  if (!is_sharp(**step)) {
    ++counts_.blurred_steps;
    return std::nullopt;
  }
  return step;
}

StepLock::Watched StepLock::follow(CounterInput& input, const Step& first, std::size_t steps) {
  // A step seen within a long pause, because other threads had the CPU, is no use for the period.
  std::vector<Step> sharp;
  const auto keep = [&](const Step& step) {
    if (step.width <= settings_.period / kSharp) {
      sharp.push_back(step);
    }
  };
  keep(first);
  Step last = first;
  for (std::size_t count = 0; count < steps; ++count) {
    auto step = poll_for_step(input, clock_->now() + 2 * period());
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
  std::vector<Nanoseconds> apart;
  Nanoseconds width{0};
  for (std::size_t index = 1; index < sharp.size(); ++index) {
    apart.push_back(sharp[index].at - sharp[index - 1].at);
    width = std::max(width, sharp[index].width + sharp[index - 1].width);
  }
  const auto [mean, count] = period_of(apart);
  if (settings_.period_tolerance && std::abs(to_ns(mean - settings_.period)) >
                                        *settings_.period_tolerance * to_ns(settings_.period)) {
    ++counts_.blurred_steps;
    return std::nullopt;
  }
  grid_ = StepGrid(std::max(mean, settings_.period / kPolls), (width + kJitter) / count);
  for (const Step& step : sharp) {
    grid_.add_step(step.at, step.width);
  }
  return last;
}

/// The period, and how many of them the times between steps were.
std::pair<Nanoseconds, Nanoseconds::rep> StepLock::period_of(
    const std::vector<Nanoseconds>& apart) const {
  // Steps may have been missed: the shortest time between two, and similar times, are one period.
  const Nanoseconds shortest = std::ranges::min(apart);
  Nanoseconds sum{0};
  Nanoseconds::rep count = 0;
  for (const Nanoseconds time : apart) {
    if (settings_.period_tolerance) {
      sum += time;
      count += std::max<Nanoseconds::rep>((time + settings_.period / 2) / settings_.period, 1);
    } else if (time < shortest + shortest / 2) {
      sum += time;
      ++count;
    }
  }
  return {sum / count, count};
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

StepLock::Watched StepLock::wait_for_step(CounterInput& input, Instant deadline) {
  Instant from = clock_->now();
  while (true) {
    const Nanoseconds spread = kSigmas * grid_.next(from + guard_).error;
    if (spread > period() / 4) {
      return budget_ns_ > 0 ? search(input, deadline) : Watched{std::nullopt};
    }
    auto promised = std::exchange(promised_, std::nullopt);
    if (promised && *promised - from > period()) {
      promised.reset();  // the caller reads earlier, for another reason
    }
    const bool is_ahead = promised && from < *promised;
    const StepGrid::Expected due = grid_.next(is_ahead ? *promised - period() / 4 : from + spread);
    const Instant earliest = due.at - spread;
    const Instant latest = due.at + spread;
    if (latest > deadline) {
      return std::nullopt;
    }
    if (promised && from < *promised + period()) {  // if later, no guard would have helped
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
    const auto step = poll_until_change(input, latest, pause_within(2 * spread));
    if (!step) {
      return std::unexpected(step.error());
    }
    if (!*step) {
      ++counts_.missed_steps;
      grid_.add_miss();
    } else {
      grid_.add_step((*step)->at, (*step)->width);
      if (is_sharp(**step)) {
        return step;
      }
      ++counts_.blurred_steps;
    }
    from = clock_->now();
  }
}

StepLock::Watched StepLock::poll_until_change(CounterInput& input, Instant until,
                                              Nanoseconds pause) {
  Instant before = clock_->now();
  const auto first = input.read();
  Instant after = clock_->now();
  note_read(before, after);
  if (!first) {
    return std::unexpected(first.error());
  }
  // A poll that takes far longer than others had lost the CPU: it did not use CPU time.
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
    note_read(again, after);
    shortest = std::min(shortest, after - again);
    used += std::min(after - again, kLostCpu * shortest);
    if (!value) {
      result = std::unexpected(value.error());
      break;
    }
    if (*value != *first) {
      // The counter had the old value after `before`, and the new one before `after`.
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

void StepLock::note_read(Instant begin, Instant end) {
  if (settings_.trust != nullptr) {
    settings_.trust->note(end - begin, end);
  }
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
