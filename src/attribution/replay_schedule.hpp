// The order in which classes of work are run alone, for a calibration.
#pragma once

#include "enprof/base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enprof {

/// A stretch of time in which only one class of work is to run.
struct ReplayTurn {
  std::uint32_t work = 0;  ///< the class
  Nanoseconds length{0};
};

/// Each class several times, in rounds: power drifts with temperature and clock within seconds, and
/// turns that are far apart see different drift. Each round has another order, so that a class does
/// not always follow the same one.
///
/// A turn is at least kWindowsPerTurn of the sensor's windows long, since the windows at its edges
/// are of no use; so one round may take longer than `budget`.
[[nodiscard]] std::vector<ReplayTurn> schedule_replay(std::size_t classes, Nanoseconds budget,
                                                      Nanoseconds window);

inline constexpr double kWindowsPerTurn = 4.0;
inline constexpr Nanoseconds kShortestTurn = std::chrono::milliseconds{100};
inline constexpr std::size_t kMostRounds = 8;

}  // namespace enprof
