#include "bench/sim/power_trace.hpp"

#include <algorithm>

namespace enprof::sim {

void PowerTrace::append(Nanoseconds length, Watts power) {
  Knot& last = knots_.back();
  last.power = power.value();
  knots_.push_back(
      {last.at + length, last.energy_before + last.power * seconds(length), power.value()});
}

std::size_t PowerTrace::knot_before(Instant at) const {
  const auto after = std::ranges::upper_bound(knots_, at, {}, &Knot::at);
  return after == knots_.begin() ? 0 : static_cast<std::size_t>(after - knots_.begin()) - 1;
}

Joules PowerTrace::until(Instant at) const {
  const Instant inside = std::clamp(at, begin(), end());
  const Knot& knot = knots_[knot_before(inside)];
  return Joules{knot.energy_before + knot.power * seconds(inside - knot.at)};
}

Watts PowerTrace::power(Instant at) const {
  return Watts{knots_[knot_before(std::clamp(at, begin(), end()))].power};
}

}  // namespace enprof::sim
