// Predicts the steps of a counter.
#pragma once

#include "enprof/base/clock.hpp"

#include <cstdint>

namespace enprof {

/// Steps that lie one period apart, each with some jitter, on a grid that drifts slowly. A Kalman
/// filter estimates the grid's phase and period (R. E. Kalman, "A New Approach to Linear Filtering
/// and Prediction Problems", 1960); its measurements are the steps that were seen. The standard
/// deviation of the estimate says how exactly a step can be predicted. Threads: one at a time.
class StepGrid {
 public:
  struct Expected {
    Instant at;
    std::int64_t periods = 0;  ///< number of periods after the last seen step
    Nanoseconds error{0};      ///< standard deviation, including the jitter
  };

  /// Only the period is known, with a standard deviation; by default a twentieth of it.
  StepGrid(Nanoseconds period, Nanoseconds error);
  explicit StepGrid(Nanoseconds period) : StepGrid(period, period / 20) {}

  /// A step was seen, somewhere within `width` around this instant. The phase is set again by the
  /// first step, and by one that lies too many periods after the last for counting them.
  void add_step(Instant at, Nanoseconds width);
  /// A step came between two instants, which were chosen by the prediction: within them nothing
  /// tells where. So the prediction is cut off at both (a truncated normal distribution, whose mean
  /// and variance the filter takes over), which a step that was merely seen in their middle would
  /// pull towards the later one. Sets a phase if there is none.
  void add_bracket(Instant from, Instant to);
  /// No step was seen where one was expected: the phase becomes less certain.
  void add_miss();
  /// Forgets the phase, not the period: the counter was reset or has stalled.
  void forget_phase();

  [[nodiscard]] bool has_phase() const { return has_phase_; }
  /// The first step at or after an instant. Needs a phase.
  [[nodiscard]] Expected next(Instant after) const;
  /// The last step at or before an instant; `periods` may be negative. Needs a phase.
  [[nodiscard]] Expected last(Instant before) const;
  /// How much later `other`'s steps are than these, between minus and plus half a period. Both need
  /// a phase.
  [[nodiscard]] Nanoseconds offset_of(const StepGrid& other) const;
  [[nodiscard]] Nanoseconds period() const;
  /// Standard deviation of single steps around the grid, as seen so far.
  [[nodiscard]] Nanoseconds jitter() const;

 private:
  /// Covariance after a number of periods.
  struct Spread {
    double phase;  // ns²
    double both;
    double period;
  };
  [[nodiscard]] Spread spread_after(double periods) const;
  [[nodiscard]] Expected step(double periods) const;
  void set_phase(Instant at, double noise);

  Instant phase_;
  bool has_phase_ = false;
  double period_;  // ns
  Spread spread_;
  double jitter_;          // variance, ns²
  unsigned outliers_ = 0;  // in a row
};

}  // namespace enprof
