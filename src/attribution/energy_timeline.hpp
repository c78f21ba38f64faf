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

/// The share of a domain's windows that falls between two instants.
struct EnergyShare {
  Joules energy;
  Nanoseconds covered{0};  ///< time that windows cover
  double windows = 0.0;    ///< how many windows that is: a half of one counts 0.5
  double variance = 0.0;   ///< J², of `energy`: see EnergyTimeline

  EnergyShare& operator+=(const EnergyShare& other) {
    energy += other.energy;
    covered += other.covered;
    windows += other.windows;
    variance += other.variance;  // as if independent: adjacent shares err in opposite directions,
    return *this;                // so that this never claims too little
  }
};

/// Cumulative energy of one domain, piecewise linear: within a window power is taken as constant.
///
/// The edges of the windows cut time into segments: a window that overlaps no other is one segment,
/// a gap is one without energy, and where windows overlap each segment has the sum of their powers.
///
/// The difference of two of its values is the energy between two instants, so that shares of
/// adjoining intervals add up to the share of their union, to rounding. It is linear in the
/// windows: windows that overlap add up, and gaps add nothing.
///
/// Variance of a share: the sum over its two edges of
///   (E c)² f (1−f)           where the edge cuts a window of energy E at the fraction f; c is the
///                            relative spread of power from window to window (a Brownian bridge:
///                            the window's energy is known, its course within is not), and
///   (P s)² ((1−f)² + f²)     s being the standard deviation of a window edge's time stamp.
///
/// Threads: const after construction.
class EnergyTimeline {
 public:
  /// What lies between two neighbouring edges of windows.
  struct Segment {
    Instant begin;
    Instant end;
    Joules energy;
    double windows = 0.0;  ///< a half of one counts 0.5
    bool covered = false;  ///< false: a gap

    [[nodiscard]] Nanoseconds length() const { return end - begin; }
  };

  /// Windows of one domain in any order. Those of no length, negative length, with an energy that
  /// is not a finite number or above kMostEnergy, or further than kFarthest from the clock's zero
  /// are left out, and counted.
  EnergyTimeline(std::span<const EnergyWindow> windows, Nanoseconds stamp_error);

  /// Where a search left off; makes searches in ascending order cheap.
  struct Cursor {
    std::size_t segment = 0;
  };

  /// The share of [begin, end]. An interval that ends before it begins has none.
  [[nodiscard]] EnergyShare share(Instant begin, Instant end) const;
  /// The same, for intervals whose begins ascend or nearly so.
  [[nodiscard]] EnergyShare share(Instant begin, Instant end, Cursor& cursor) const;

  [[nodiscard]] bool empty() const { return knots_.empty(); }
  [[nodiscard]] std::size_t rejected_windows() const { return rejected_; }
  /// The instants at which a window begins or ends, ascending.
  [[nodiscard]] std::size_t knot_count() const { return knots_.size(); }
  [[nodiscard]] Instant knot(std::size_t index) const { return knots_[index].at; }
  /// In the order of time, one between each knot and the next.
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
  /// The segment that holds an instant: the first, or the last, where the instant lies outside.
  [[nodiscard]] std::size_t segment_at(Instant at) const;
  /// Relative spread of power from window to window: the c above.
  [[nodiscard]] double relative_spread() const { return spread_; }
  [[nodiscard]] Nanoseconds stamp_error() const { return stamp_error_; }

  static constexpr Joules kMostEnergy{1e15};
  static constexpr Nanoseconds kFarthest = std::chrono::hours{24 * 365 * 70};

 private:
  /// Sums up to an instant, and the energy from there to the next one. Kept small: an hour of 1 kHz
  /// windows is millions of them.
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

  void add_disjoint(std::span<const EnergyWindow> by_begin);
  void add_overlapping(std::span<const EnergyWindow> by_begin);
  /// Ends the last segment at an instant, where the next begins.
  void add_knot(Instant at, double energy, double windows, bool covered);
  [[nodiscard]] std::size_t segment_of(Instant at, std::size_t hint) const;
  [[nodiscard]] Value value_at(Instant at, std::size_t segment) const;

  std::vector<Knot> knots_;
  double spread_ = 0.0;
  Nanoseconds stamp_error_;
  std::size_t rejected_ = 0;
};

}  // namespace enprof
