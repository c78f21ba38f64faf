// The order in which classes of work are run alone, for a calibration.
#pragma once

#include "enprof/base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// A stretch of time in which only one class of work is to run.
struct ReplayTurn {
  std::uint32_t work = 0;  ///< the class
  Nanoseconds length{0};
};

struct ReplaySchedule {
  std::vector<ReplayTurn> turns;  ///< in rounds, each with one turn of each class
  std::size_t rounds = 0;
};

/// Each class several times, in rounds: power drifts with temperature and clock within seconds, and
/// turns that are far apart see different drift. Each round has another order, so that a class does
/// not always follow the same one.
///
/// A turn is at least shortest_turn() long. Where a round of all classes does not fit into the
/// budget, those with the smallest weights are left out; the one with the largest never is.
[[nodiscard]] ReplaySchedule schedule_replay(std::span<const double> weights, Nanoseconds budget,
                                             Nanoseconds window);

/// kWindowsPerTurn of the sensor's windows, since the windows at a turn's edges are of no use; at
/// least kShortestTurn.
[[nodiscard]] Nanoseconds shortest_turn(Nanoseconds window);

inline constexpr double kWindowsPerTurn = 4.0;
inline constexpr Nanoseconds kShortestTurn = std::chrono::milliseconds{100};
inline constexpr std::size_t kMostRounds = 8;

}  // namespace enprof
