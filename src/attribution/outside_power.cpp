#include "attribution/outside_power.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace enprof {
namespace {

/// Relative spread of power, where there is a single window; and at least, however alike they are.
constexpr double kOneSpread = 0.2;
constexpr double kLeastSpread = 0.02;

constexpr std::size_t kNoSegment = ~std::size_t{0};

double square(double value) { return value * value; }

/// By the windows from `nearest` on, away from the spans; empty without such windows.
std::optional<OutsidePower> measured(const EnergyTimeline& timeline, std::size_t nearest,
                                     bool backwards) {
  double joules = 0.0;
  double time_s = 0.0;
  double squares = 0.0;  // Σ power² × time
  int count = 0;
  Nanoseconds distance{0};
  std::size_t at = nearest;
  while (count < OutsidePowers::kMostNeighbours && at < timeline.segment_count()) {
    const EnergyTimeline::Segment segment = timeline.segment(at);
    if (!segment.covered || distance > OutsidePowers::kFarthestNeighbour) {
      break;
    }
    const double length_s = seconds(segment.length());
    joules += segment.energy.value();
    time_s += length_s;
    squares += square(segment.energy.value()) / length_s;
    distance += segment.length();
    ++count;
    at = backwards ? at - 1 : at + 1;  // before the first it wraps around to kNoSegment
  }
  if (count == 0) {
    return std::nullopt;
  }
  const double mean = joules / time_s;
  const double watts = std::max(0.0, mean);
  const double spread =
      count > 1 ? std::sqrt(std::max(0.0, squares / time_s - square(mean)) * count / (count - 1))
                : kOneSpread * watts;
  const double stamps = std::numbers::sqrt2 * seconds(timeline.stamp_error()) * watts / time_s;
  return OutsidePower{.watts = watts,
                      .error_w = std::hypot(std::max(spread, kLeastSpread * watts), stamps),
                      .is_measured = true};
}

OutsidePower unknown(std::optional<Watts> idle, Watts own) {
  const double high = own.value();
  const double low = idle ? std::clamp(idle->value(), 0.0, high) : 0.0;
  return {.watts = idle ? (low + high) / 2.0 : high, .error_w = (high - low) / std::sqrt(12.0)};
}

}  // namespace

OutsidePowers::OutsidePowers(const EnergyTimeline& timeline, Instant begin, Instant end,
                             std::optional<Watts> idle, Watts own)
    : begin_(begin), end_(end) {
  const std::size_t first = timeline.segment_at(begin);
  const std::size_t last = timeline.segment_at(end);
  const bool begins_before = timeline.segment(first).begin < begin;
  const bool ends_after = timeline.segment(last).end > end;
  before_ =
      measured(timeline, begins_before ? first - 1 : kNoSegment, true).value_or(unknown(idle, own));
  after_ =
      measured(timeline, ends_after ? last + 1 : kNoSegment, false).value_or(unknown(idle, own));
}

OutsidePowers::Energy OutsidePowers::energy(const EnergyTimeline::Segment& segment) const {
  const double before_s = std::max(0.0, seconds(begin_ - segment.begin));
  const double after_s = std::max(0.0, seconds(segment.end - end_));
  return {.joules = before_.watts * before_s + after_.watts * after_s,
          .variance = square(before_.error_w * before_s) + square(after_.error_w * after_s),
          .is_measured =
              (before_s == 0.0 || before_.is_measured) && (after_s == 0.0 || after_.is_measured)};
}

}  // namespace enprof
