#include "power/energy_counter.hpp"

#include <algorithm>

namespace enprof {
namespace {

constexpr double kJoulesPerMicrojoule = 1e-6;

}  // namespace

EnergyCounter::Change EnergyCounter::read(std::uint64_t value_uj, Instant at) {
  const Last now{.value_uj = value_uj, .step_at = at, .read_at = at};
  if (!last_) {
    last_ = now;
    return {.event = Event::first, .begin = at, .end = at, .energy = {}};
  }
  Change change{.begin = last_->step_at, .end = at, .energy = {}};
  // What was used since, it used after the last reading: then the value was still the old one.
  const Nanoseconds unseen = at - last_->read_at;
  if (unseen >= longest_gap()) {
    change.event = Event::lapsed;
    last_ = now;
    return change;
  }
  // A step within the clock's resolution is left for the next reading: no window is empty.
  if (value_uj == last_->value_uj || at == last_->step_at) {
    change.event = Event::unchanged;
    last_->read_at = at;
    return change;
  }
  const std::uint64_t before = last_->value_uj;
  // A value beyond the range is no value of this counter: nothing can be told from it.
  const bool credible = std::max(before, value_uj) <= range_uj_;
  if (credible) {
    const std::uint64_t used =
        value_uj >= before ? value_uj - before : range_uj_ - before + value_uj;
    change.energy = Joules{static_cast<double>(used) * kJoulesPerMicrojoule};
  }
  const bool possible = change.energy <= limit_ * (unseen + kSlack);
  change.event = credible && possible ? Event::step : Event::impossible;
  last_ = now;
  return change;
}

Nanoseconds EnergyCounter::longest_gap() const {
  const double gap = static_cast<double>(range_uj_) * kJoulesPerMicrojoule / limit_.value();
  constexpr double kLongest = 1e9;  // seconds; a count of nanoseconds holds nine times as many
  return Nanoseconds{static_cast<Nanoseconds::rep>(std::min(gap, kLongest) * 1e9)};
}

std::optional<Instant> EnergyCounter::last_step() const {
  return last_ ? std::optional{last_->step_at} : std::nullopt;
}

}  // namespace enprof
