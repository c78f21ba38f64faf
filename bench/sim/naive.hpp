// The two ways in which power readings are usually made into energies: what ours is compared with.
#pragma once

#include "bench/sim/sensor.hpp"

#include <span>

namespace enprof::sim {

/// The latest power that was known when the span ended × its duration. Before the first reading
/// there is none: the first one serves.
[[nodiscard]] Joules latest_power(std::span<const PowerPoint> points, Instant begin, Instant end);

/// The trapezoid rule over the readings within the span, and over power at its two ends, which is
/// interpolated between the readings around them.
[[nodiscard]] Joules trapezoid(std::span<const PowerPoint> points, Instant begin, Instant end);

}  // namespace enprof::sim
