// Writes the power of simulated work, with the disturbances of a real machine.
#pragma once

#include "bench/sim/power_trace.hpp"
#include "bench/sim/program.hpp"
#include "bench/sim/random.hpp"

#include <algorithm>
#include <cmath>

namespace enprof::sim {

/// The slow drift of power, and the power of a second process.
class Weather {
 public:
  Weather(const Disturbance& disturbance, Random& random)
      : disturbance_(disturbance), random_(random), gain_(disturbance.drift * random.normal()) {}

  /// Lets time pass.
  void pass(Nanoseconds time) {
    const double s = seconds(time);
    age_s_ += s;
    const double keep = std::exp(-s / disturbance_.drift_time_s);  // Ornstein and Uhlenbeck
    gain_ = gain_ * keep +
            disturbance_.drift * std::sqrt(std::max(0.0, 1.0 - keep * keep)) * random_.normal();
    if (disturbance_.second_process_w > 0.0) {
      for (other_left_s_ -= s; other_left_s_ <= 0.0;) {
        other_runs_ = !other_runs_;
        other_left_s_ +=
            random_.exponential(disturbance_.second_process_s * (other_runs_ ? 1.0 : 3.0));
      }
    }
  }
  [[nodiscard]] double gain() const {
    return 1.0 + gain_ + disturbance_.settling * std::exp(-age_s_ / disturbance_.settling_time_s);
  }
  [[nodiscard]] double others_w() const {
    return other_runs_ ? disturbance_.second_process_w : 0.0;
  }

 private:
  const Disturbance& disturbance_;
  Random& random_;
  double gain_;
  double age_s_ = 0.0;
  bool other_runs_ = false;
  double other_left_s_ = 0.0;
};

/// A trace in the making. What it is made with outlives it.
class PowerWriter {
 public:
  PowerWriter(const Machine& machine, const Disturbance& disturbance, Random& random)
      : machine_(machine),
        disturbance_(disturbance),
        random_(random),
        weather_(disturbance, random) {}

  /// Lets time pass with this power. `factor` multiplies what is above idle.
  void spend(Nanoseconds time, double watts, double factor = 1.0);
  [[nodiscard]] Instant now() const { return trace_.end(); }
  /// Ends it.
  [[nodiscard]] PowerTrace take() { return std::move(trace_); }

 private:
  const Machine& machine_;
  const Disturbance& disturbance_;
  Random& random_;
  Weather weather_;
  PowerTrace trace_{Instant{}};
};

}  // namespace enprof::sim
