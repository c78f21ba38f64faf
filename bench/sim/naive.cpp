#include "bench/sim/naive.hpp"

#include <algorithm>

namespace enprof::sim {
namespace {

std::span<const PowerPoint>::iterator first_after(std::span<const PowerPoint> points, Instant at) {
  return std::ranges::upper_bound(points, at, {}, &PowerPoint::at);
}

Watts interpolated(std::span<const PowerPoint> points, Instant at) {
  const auto after = first_after(points, at);
  if (after == points.begin()) {
    return points.front().power;
  }
  const PowerPoint& before = *(after - 1);
  if (after == points.end()) {
    return before.power;
  }
  return before.power +
         (after->power - before.power) * (seconds(at - before.at) / seconds(after->at - before.at));
}

}  // namespace

Joules latest_power(std::span<const PowerPoint> points, Instant begin, Instant end) {
  if (points.empty()) {
    return {};
  }
  const auto after = first_after(points, end);
  return (after == points.begin() ? points.front() : *(after - 1)).power * (end - begin);
}

Joules trapezoid(std::span<const PowerPoint> points, Instant begin, Instant end) {
  if (points.empty()) {
    return {};
  }
  Joules energy;
  PowerPoint last{begin, interpolated(points, begin)};
  for (auto point = first_after(points, begin); point != points.end() && point->at < end; ++point) {
    energy += (last.power + point->power) / 2.0 * (point->at - last.at);
    last = *point;
  }
  return energy + (last.power + interpolated(points, end)) / 2.0 * (end - last.at);
}

}  // namespace enprof::sim
