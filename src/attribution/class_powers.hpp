// Power of each kind of work, and how sure that is.
#pragma once

#include <cstddef>
#include <vector>

namespace enprof {

struct ClassPowers {
  std::vector<double> watts;          ///< by class; above 0
  std::vector<double> covariance_w2;  ///< classes × classes; empty where all were taken alike
  /// J²: variance of a window's energy that the classes do not explain, for a window of the usual
  /// length; for another one × window_weight(length).
  double window_variance = 0.0;
  double usual_length_s = 0.0;
  double prior_spread = 0.0;  ///< relative standard deviation of powers before windows were seen
  std::size_t windows = 0;    ///< that told of them

  [[nodiscard]] bool has_covariance() const { return !covariance_w2.empty(); }
  [[nodiscard]] double covariance(std::size_t a, std::size_t b) const {
    return covariance_w2[a * watts.size() + b];
  }
  [[nodiscard]] double window_weight(double length_s) const {
    return usual_length_s > 0.0 ? 0.5 * (1.0 + length_s / usual_length_s) : 1.0;
  }
};

}  // namespace enprof
