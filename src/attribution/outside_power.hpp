// What a domain draws before and after the spans of work, by the evidence of windows there.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include "attribution/energy_timeline.hpp"

#include <optional>

namespace enprof {

/// The power of a domain before or after the spans.
struct OutsidePower {
  double watts = 0.0;
  double error_w = 0.0;  ///< standard deviation
  bool is_measured = false;
};

/// Needed for windows that lie partly outside the spans.
///
/// Up to kMostNeighbours windows next to the window at the spans' edge, without a gap between them
/// and at most kFarthestNeighbour away, show the power: their mean, with the spread between them as
/// its error. Without such windows it is uniformly distributed between idle power and the spans'
/// own power; if idle power is unknown too, it is the spans' own, with an error as if idle were 0.
///
/// Threads: const after construction.
class OutsidePowers {
 public:
  static constexpr int kMostNeighbours = 3;
  static constexpr Nanoseconds kFarthestNeighbour = std::chrono::milliseconds{500};

  OutsidePowers() = default;
  /// The spans are [begin, end] and draw about `own`.
  OutsidePowers(const EnergyTimeline& timeline, Instant begin, Instant end,
                std::optional<Watts> idle, Watts own);

  /// The energy outside the spans in a segment of the timeline.
  struct Energy {
    double joules = 0.0;
    double variance = 0.0;  ///< J²
    bool is_measured = true;
  };
  /// Between the power before and after.
  [[nodiscard]] Watts mean() const { return Watts{(before_.watts + after_.watts) / 2.0}; }
  [[nodiscard]] Energy energy(const EnergyTimeline::Segment& segment) const;

 private:
  Instant begin_;
  Instant end_;
  OutsidePower before_;
  OutsidePower after_;
};

}  // namespace enprof
