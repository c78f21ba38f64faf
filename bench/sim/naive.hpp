// The two usual ways of computing energies from power readings, for comparison with ours.
#pragma once

#include "bench/sim/sensor.hpp"

#include <span>

namespace enprof::sim {

/// The latest power known when the span ended × its duration. Before the first reading, the first
/// one is used.
[[nodiscard]] Joules latest_power(std::span<const PowerPoint> points, Instant begin, Instant end);

/// The trapezoid rule over the readings within the span and over the power at its two ends, which
/// is interpolated between the neighbouring readings.
[[nodiscard]] Joules trapezoid(std::span<const PowerPoint> points, Instant begin, Instant end);

}  // namespace enprof::sim
