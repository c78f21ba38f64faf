// The energy of one domain as a function of time.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/energy_window.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// The share of a domain's windows between two instants.
struct EnergyShare {
  Joules energy;
  Nanoseconds covered{0};  ///< time that windows cover
  double windows = 0.0;    ///< number of windows; half of a window counts 0.5
  double variance = 0.0;   ///< of `energy`, in J²: see EnergyTimeline

  EnergyShare& operator+=(const EnergyShare& other) {
    energy += other.energy;
    covered += other.covered;
    windows += other.windows;
    // As if independent: the errors of adjacent shares are opposite, so the sum is not too small.
    variance += other.variance;
    return *this;
  }
};

/// The cumulative energy of one domain, as a piecewise linear function of time: within a window
/// power is taken as constant.
///
/// The edges of the windows cut time into segments. A window that overlaps no other is one segment;
/// a gap is a segment without energy; where windows overlap, each segment has the sum of their
/// powers.
///
/// The energy between two instants is the difference of the function's values there. So the shares
/// of adjoining intervals add up to the share of their union, except for rounding. The function is
/// linear in the windows: windows that overlap add up, and gaps add nothing.
///
/// The variance of a share is the sum over its two edges of
///   (E c)² f (1−f)           for an edge that cuts a window of energy E and power P at the
///                            fraction f. c is the relative spread of power from window to window.
///                            (A Brownian bridge: the window's energy is known, but not how power
///                            changes within it.)
///   (P s)² ((1−f)² + f²)     s is the standard deviation of the time stamp of a window's edge.
///
/// Threads: const after construction.
class EnergyTimeline {
 public:
  /// The time between two neighbouring edges of windows.
  struct Segment {
    Instant begin;
    Instant end;
    Joules energy;
    double windows = 0.0;  ///< number of windows; half of a window counts 0.5
    bool covered = false;  ///< false: the segment is a gap

    [[nodiscard]] Nanoseconds length() const { return end - begin; }
  };

  /// `windows`: those of one domain, in any order. `stamp_error`: the standard deviation of time
  /// stamps, for windows that do not state it. A window is left out, and counted, if its length is
  /// not positive, if its energy is not finite or its magnitude is above kMostEnergy, or if it
  /// reaches further than kFarthest from the clock's zero.
  EnergyTimeline(std::span<const EnergyWindow> windows, Nanoseconds stamp_error);

  /// Where the last search ended. It makes searches in ascending order of time cheap.
  struct Cursor {
    std::size_t segment = 0;
  };

  /// The share of [begin, end]; zero if the interval ends before it begins.
  [[nodiscard]] EnergyShare share(Instant begin, Instant end) const;
  /// The same, and fast for intervals whose begins (nearly) ascend.
  [[nodiscard]] EnergyShare share(Instant begin, Instant end, Cursor& cursor) const;

  [[nodiscard]] bool empty() const { return knots_.empty(); }
  [[nodiscard]] std::size_t rejected_windows() const { return rejected_; }
  /// The instants at which a window begins or ends, ascending.
  [[nodiscard]] std::size_t knot_count() const { return knots_.size(); }
  [[nodiscard]] Instant knot(std::size_t index) const { return knots_[index].at; }
  /// Segments are in the order of time; each lies between a knot and the next.
  [[nodiscard]] std::size_t segment_count() const { return knots_.empty() ? 0 : knots_.size() - 1; }
  [[nodiscard]] Segment segment(std::size_t index) const {
    const Knot& knot = knots_[index];
    const Knot& next = knots_[index + 1];
    return {.begin = knot.at,
            .end = next.at,
            .energy = Joules{knot.energy},
            .windows = next.windows_before - knot.windows_before,
            .covered = next.covered_before > knot.covered_before};
  }
  /// The index of the segment that holds an instant. For an instant before all segments, the first;
  /// after all segments, the last.
  [[nodiscard]] std::size_t segment_at(Instant at) const;
  /// The relative spread of power from window to window: c above.
  [[nodiscard]] double relative_spread() const { return spread_; }
  [[nodiscard]] Nanoseconds stamp_error() const { return stamp_error_; }
  /// Share of the windows' time in which the sensor did not measure, 0–1.
  [[nodiscard]] double unseen() const { return unseen_; }

  static constexpr Joules kMostEnergy{1e15};
  static constexpr Nanoseconds kFarthest = std::chrono::hours{24 * 365 * 70};

 private:
  /// The sums up to an instant, and the energy from there to the next knot. It is small, because an
  /// hour of windows at 1 kHz has millions of knots.
  struct Knot {
    Instant at;
    double energy_before = 0.0;   // J
    double energy = 0.0;          // J
    double covered_before = 0.0;  // ns
    double windows_before = 0.0;
  };
  struct Value {
    double energy = 0.0;
    double covered = 0.0;
    double windows = 0.0;
    double variance = 0.0;
  };

  void add(std::span<const EnergyWindow> by_begin);
  void add_disjoint(std::span<const EnergyWindow> by_begin);
  void add_overlapping(std::span<const EnergyWindow> by_begin);
  /// Ends the last segment at an instant, and begins the next one there.
  void add_knot(Instant at, double energy, double windows, bool covered);
  [[nodiscard]] std::size_t segment_of(Instant at, std::size_t hint) const;
  [[nodiscard]] Value value_at(Instant at, std::size_t segment) const;

  std::vector<Knot> knots_;
  double spread_ = 0.0;
  double unseen_ = 0.0;
  Nanoseconds stamp_error_;
  std::size_t rejected_ = 0;
};

}  // namespace enprof
