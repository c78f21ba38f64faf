#include "power/counter/border_placer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace enprof {
namespace {

/// Two readings further apart than this part of a period may have two steps between them.
constexpr double kClose = 0.75;
/// A first step, from which the phase is to be known, must be seen within this part of a period.
constexpr int kSharp = 8;
/// The steps of this part of the time ahead must be predicted well.
constexpr int kSoon = 4;

}  // namespace

void BorderPlacer::place(BorderReader& reader, StepLock& lock, Instant since, const Use& use) {
  BorderReading reading;
  while (reader.take(reading)) {
    if (reading.before < since) {
      continue;
    }
    if (!reading.has(0)) {
      ++counts_.failed;
      last_.reset();
      same_since_.reset();
      continue;
    }
    if (const auto step = step_before(reading, lock)) {
      ++counts_.placed;
      use(reading, *step);
    } else {
      ++counts_.unclear;
    }
    last_ = reading;
  }
}

void BorderPlacer::discard(BorderReader& reader) noexcept {
  BorderReading reading;
  while (reader.take(reading)) {
  }
  last_.reset();
  same_since_.reset();
}

void BorderPlacer::publish(BorderReader& reader, const StepLock& lock, Instant now,
                           Nanoseconds ahead, Nanoseconds lag) {
  BorderReader::Plan plan{.mode = BorderReader::Plan::Mode::search, .period = lock.period()};
  if (lock.is_locked()) {
    // Readings are placed one after the other, and each step that is watched makes the next ones
    // more certain: the steps need not be predicted up to the end.
    const Nanoseconds most = plan.period / BorderReader::kPredictable;
    const Nanoseconds later = lock.grid().last(now + ahead).error;
    if (lock.grid().last(now + ahead / kSoon).error < most) {
      plan.mode = BorderReader::Plan::Mode::steps;
      plan.step = lock.grid().last(now).at;
      plan.error = std::min(later, most);
      plan.lag = lag;
      plan.is_doubtful = later > most / 4;
    }
  }
  reader.publish(plan);
}

std::optional<BorderPlacer::Step> BorderPlacer::step_before(const BorderReading& reading,
                                                            StepLock& lock) {
  if (const auto seen = compare(reading, lock)) {
    return seen;
  }
  if (!lock.is_locked()) {
    return std::nullopt;
  }
  const StepGrid::Expected step = lock.grid().last(reading.before);
  const Nanoseconds margin = BorderReader::margin_of(step.error);
  const bool is_clear = step.error < lock.period() / BorderReader::kPredictable &&
                        reading.before - step.at >= margin &&
                        step.at + lock.period() - reading.after >= margin;
  return is_clear ? std::optional{Step{.at = step.at, .error = step.error}} : std::nullopt;
}

/// A step that must have come by now was not seen: either it came before the first of these
/// readings, which was too close to it to tell, or it did not come where it was predicted. To leave
/// out the former would push the predictions later and later, as only steps after that reading were
/// seen.
void BorderPlacer::judge_same(const BorderReading& reading, StepLock& lock) {
  if (!lock.is_locked()) {
    return;
  }
  const StepGrid::Expected step = lock.grid().last(reading.before);
  const Nanoseconds margin = BorderReader::margin_of(step.error);
  const Nanoseconds early = step.at - *same_since_;
  if (reading.before - step.at < margin || early <= -margin) {
    return;
  }
  if (early >= margin) {
    ++counts_.misses;
    lock.add_miss();
  } else {
    ++counts_.brackets;
    lock.add_bracket(step.at - lock.period() / 2, *same_since_);
  }
  same_since_ = reading.after;
}

/// What the reading before says: the step, if it came between the two.
std::optional<BorderPlacer::Step> BorderPlacer::compare(const BorderReading& reading,
                                                        StepLock& lock) {
  const Nanoseconds period = lock.period();
  const bool is_close = last_ && to_ns(reading.after - last_->before) < kClose * to_ns(period);
  if (!is_close) {
    same_since_ = reading.after;
    return std::nullopt;
  }
  if (reading.values[0] == last_->values[0]) {
    judge_same(reading, lock);
    return std::nullopt;
  }
  same_since_ = reading.after;
  const Instant from = last_->before;
  const Instant to = reading.after;
  if (!lock.is_locked() && to - from > period / kSharp) {
    return std::nullopt;
  }
  ++counts_.brackets;
  lock.add_bracket(from, to);
  const StepGrid::Expected step = lock.grid().last(from + (to - from) / 2 + period / 2);
  const auto widest = from_ns(to_ns(to - from) * std::numbers::inv_sqrt3 / 2);
  return Step{.at = std::clamp(step.at, from, to), .error = std::min(step.error, widest)};
}

}  // namespace enprof
