// The power of classes of work that ran alone.
#pragma once

#include "attribution/class_powers.hpp"
#include "attribution/energy_timeline.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// A stretch of time in which only one class of work ran.
struct ReplaySlice {
  std::uint32_t work = 0;
  Instant begin;
  Instant end;
  std::size_t operations = 0;  ///< how many of them ran
};

/// What a replay says of a class's power.
struct ReplayedPower {
  double watts = 0.0;
  /// Relative standard error of the measurement, without what all classes have in common.
  double deviation = 0.0;
  std::size_t windows = 0;
};

/// By class, from the windows that lie within one slice each: least squares of the logarithms of
/// the slices' powers, by class and a drift that all share. The drift is linear between as many
/// knots as each class has slices; powers are those of the replay's mean temperature and clock. The
/// errors follow from how slices of one class differ (a randomized block design). Empty for a class
/// without such windows. `slices` in order of time.
[[nodiscard]] std::vector<std::optional<ReplayedPower>> powers_of_replay(
    const EnergyTimeline& timeline, std::span<const ReplaySlice> slices, std::size_t classes);

/// How much a class's power differs in a real pass from that in its replay, as a relative standard
/// deviation: it finds other data in the caches, and other work before and after it. A part of each
/// class's prior deviation, since a replay cannot show it. See docs/accuracy.md.
inline constexpr double kReplayDeviation = 0.03;

}  // namespace enprof
