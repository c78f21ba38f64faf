#include "power/counter/energy_counter.hpp"

#include <algorithm>

namespace enprof {
namespace {

constexpr std::array<std::string_view, EnergyCounter::kOutcomes> kNames{
    "first",   "unchanged", "step", "wrap",   "resumed", "stall",
    "stopped", "reset",     "jump", "lapsed", "failed"};

/// The length of an interval of known power. A new one must be at least this long to be used.
constexpr Nanoseconds kStretch = std::chrono::seconds{1};
constexpr Nanoseconds kShortestStretch = std::chrono::milliseconds{50};
/// A window longer than this does not count as watched, even if its energy is known.
constexpr Nanoseconds kLongestStretch = std::chrono::seconds{10};
/// The factor by which a mean power may exceed the range of the powers seen.
constexpr double kMargin = 1.25;

constexpr double kLongest = 1e9;  // seconds; Nanoseconds can hold nine times as many

}  // namespace

std::string_view to_string(EnergyCounter::Outcome outcome) noexcept {
  const auto index = static_cast<std::size_t>(outcome);
  return index < kNames.size() ? kNames[index] : std::string_view{"?"};
}

bool is_gap(EnergyCounter::Outcome outcome) noexcept {
  using enum EnergyCounter::Outcome;
  return outcome == stopped || outcome == reset || outcome == jump || outcome == lapsed;
}

EnergyCounter::Change EnergyCounter::read(std::uint64_t value, Instant at, Instant seen) {
  Change change = compare(value, at, seen);
  count(change.outcome);
  watch(change);
  if (change.outcome == Outcome::unchanged || change.outcome == Outcome::stall) {
    last_->read_at = seen;
  } else {
    last_ = {.value = value, .step_at = at, .read_at = seen};
    stalled_ = false;
    slept_ = false;
  }
  return change;
}

void EnergyCounter::forget() {
  last_.reset();
  seen_.reset();
  slept_ = false;
  stalled_ = false;
  counts_ = {};
}

EnergyCounter::Change EnergyCounter::compare(std::uint64_t value, Instant at, Instant seen) {
  if (!last_) {
    return {.outcome = Outcome::first, .begin = at, .end = at};
  }
  Change change{.begin = last_->step_at, .end = at};
  if (slept_) {
    change.outcome = Outcome::reset;
    return change;
  }
  // The energy of the difference was used after the last reading, which still saw the old value.
  // But a counter that stalls shows late what it has counted.
  const Nanoseconds unread = seen - last_->read_at;
  const Nanoseconds time = stalled_ ? seen - last_->step_at : unread;
  const bool lapsed = unread >= longest_gap();
  // A step within the clock's resolution waits for the next reading: no window may be empty.
  if (!lapsed && (value == last_->value || at <= last_->step_at)) {
    change.outcome = Outcome::unchanged;
    if (!stalled_ && traits_.stall_after && seen - last_->step_at >= *traits_.stall_after) {
      stalled_ = true;
      change.outcome = Outcome::stall;
    }
    return change;
  }
  if (traits_.range != 0) {
    judge_wrapping(change, value, time);
  } else {
    judge_endless(change, value, time);
  }
  if (change.energy && stalled_) {
    const bool counted_on =
        seen_ && *change.energy >= seen_->latest * 0.5 * (change.end - change.begin);
    change.outcome = counted_on ? Outcome::resumed : Outcome::stopped;
  }
  if (is_gap(change.outcome)) {
    change.energy.reset();
  }
  return change;
}

void EnergyCounter::judge_wrapping(Change& change, std::uint64_t value, Nanoseconds time) const {
  const std::uint64_t before = last_->value;
  const std::uint64_t range = traits_.range;
  if (std::max(before, value) > range) {
    change.outcome = Outcome::jump;  // this counter cannot have such a value
    return;
  }
  const bool went_back = value < before;
  const Joules energy = energy_of(went_back ? range - before + value : value - before);
  const Joules most = traits_.limit * (time + traits_.latency);
  if (energy > most) {
    change.outcome = went_back ? Outcome::reset : Outcome::jump;
    return;
  }
  // How many more wraps are possible.
  const auto more = static_cast<std::uint64_t>((most - energy) / energy_of(range));
  const auto certain = more == 0 ? std::optional<std::uint64_t>{0}
                                 : wraps_by_rate(energy, more, change.end - change.begin);
  if (!certain) {
    change.outcome = Outcome::lapsed;
    return;
  }
  change.wraps = *certain + (went_back ? 1U : 0U);
  if (change.wraps == 0 && value == before) {
    change.outcome = Outcome::unchanged;
    return;
  }
  change.outcome = change.wraps == 0 ? Outcome::step : Outcome::wrap;
  change.energy = energy + energy_of(range) * static_cast<double>(*certain);
}

void EnergyCounter::judge_endless(Change& change, std::uint64_t value, Nanoseconds time) const {
  if (value < last_->value) {
    change.outcome = Outcome::reset;
    return;
  }
  if (traits_.reach && traits_.limit * time >= *traits_.reach) {
    change.outcome = Outcome::lapsed;
    return;
  }
  const Joules energy = energy_of(value - last_->value);
  if (energy > traits_.limit * (time + traits_.latency)) {
    change.outcome = Outcome::jump;
    return;
  }
  change.outcome = Outcome::step;
  change.energy = energy;
}

std::optional<std::uint64_t> EnergyCounter::wraps_by_rate(Joules energy, std::uint64_t most,
                                                          Nanoseconds time) const {
  if (!seen_ || seen_->watched < time || time <= Nanoseconds{0}) {
    return std::nullopt;
  }
  const Joules range = energy_of(traits_.range);
  std::optional<std::uint64_t> fitting;
  for (std::uint64_t wraps = 0; wraps <= most; ++wraps) {
    const Watts power = (energy + range * static_cast<double>(wraps)) / time;
    if (power > seen_->highest * kMargin) {
      break;
    }
    if (power >= seen_->lowest / kMargin) {
      if (fitting) {
        return std::nullopt;
      }
      fitting = wraps;
    }
  }
  return fitting;
}

void EnergyCounter::watch(const Change& change) {
  if (change.outcome == Outcome::unchanged || change.outcome == Outcome::stall) {
    return;
  }
  if (!change.energy || change.end - change.begin > kLongestStretch) {
    if (seen_) {  // the current interval has a gap: start a new one
      seen_->since = change.end;
      seen_->energy = {};
    }
    return;
  }
  if (!seen_) {
    seen_ = {.latest = {}, .lowest = {}, .highest = {}, .since = change.begin, .energy = {}};
  }
  seen_->energy += *change.energy;
  const Nanoseconds stretch = change.end - seen_->since;
  const bool is_first = seen_->watched == Nanoseconds{0};
  if (is_first && stretch >= kShortestStretch) {
    seen_->latest = seen_->energy / stretch;
  }
  if (stretch >= kStretch) {
    const Watts power = seen_->energy / stretch;
    seen_->latest = power;
    seen_->lowest = is_first ? power : std::min(seen_->lowest, power);
    seen_->highest = is_first ? power : std::max(seen_->highest, power);
    seen_->watched += stretch;
    seen_->since = change.end;
    seen_->energy = {};
  }
}

Nanoseconds EnergyCounter::longest_gap() const {
  if (traits_.range == 0 && !traits_.reach) {
    return Nanoseconds::max();
  }
  const Joules reach = traits_.range != 0 ? energy_of(traits_.range) : *traits_.reach;
  const double gap = reach.value() / traits_.limit.value();
  return Nanoseconds{static_cast<Nanoseconds::rep>(std::min(gap, kLongest) * 1e9)};
}

std::optional<Instant> EnergyCounter::last_step() const {
  return last_ ? std::optional{last_->step_at} : std::nullopt;
}

}  // namespace enprof
