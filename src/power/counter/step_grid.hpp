// When the steps of a counter are to be expected.
#pragma once

#include "enprof/base/clock.hpp"

#include <cstdint>

namespace enprof {

/// Steps that lie a period apart, each with a jitter of its own, on a grid that wanders slowly: a
/// Kalman filter of the grid's phase and period (R. E. Kalman, "A New Approach to Linear Filtering
/// and Prediction Problems", 1960), whose measurements are the steps that were seen. What it knows
/// it knows with an error, and that says how closely a step can be awaited. Threads: one at a time.
class StepGrid {
 public:
  struct Expected {
    Instant at;
    std::int64_t periods = 0;  ///< after the last step that was seen
    Nanoseconds error{0};      ///< standard deviation, with the jitter
  };

  /// Only the period is known, with a standard deviation; or not well: to a twentieth.
  StepGrid(Nanoseconds period, Nanoseconds error);
  explicit StepGrid(Nanoseconds period) : StepGrid(period, period / 20) {}

  /// A step was seen, somewhere within `width` around this instant. The first one, and one that
  /// cannot be counted from the last because too many may lie between, sets the phase.
  void see(Instant at, Nanoseconds width);
  /// None was seen where one was expected: it is less certain where they lie.
  void miss();
  /// Forgets the phase, not the period: the counter was reset or stood still.
  void forget_phase();

  [[nodiscard]] bool has_phase() const { return has_phase_; }
  /// The first step no earlier than this. Needs a phase.
  [[nodiscard]] Expected next(Instant after) const;
  /// How far `other`'s steps are after these, between minus and plus half a period. Both need a
  /// phase.
  [[nodiscard]] Nanoseconds offset_of(const StepGrid& other) const;
  [[nodiscard]] Nanoseconds period() const;
  /// Standard deviation of a single step's place on the grid, as seen so far.
  [[nodiscard]] Nanoseconds jitter() const;

 private:
  /// Covariance after so many periods.
  struct Spread {
    double phase;  // ns²
    double both;
    double period;
  };
  [[nodiscard]] Spread spread_after(double periods) const;
  void set_phase(Instant at, double noise);

  Instant phase_;
  bool has_phase_ = false;
  double period_;  // ns
  Spread spread_;
  double jitter_;          // variance, ns²
  unsigned outliers_ = 0;  // in a row
};

}  // namespace enprof
