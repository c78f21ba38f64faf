// Power of each kind of work, and how sure that is.
#pragma once

#include <cstddef>
#include <vector>

namespace enprof {

/// Variance of a window's energy around what its classes of work draw: `scale` × the sum of
/// - what time stamps at its two edges are wrong by,
/// - kPieceSpread of the energy of each piece of work in it, independent of the others,
/// - kWholeSpread of the whole window's energy.
/// The three are guesses that tell windows of large pieces from windows of many small ones; the
/// scale is fitted.
struct WindowNoise {
  static constexpr double kPieceSpread = 0.05;
  static constexpr double kWholeSpread = 0.003;

  double mean_w = 0.0;
  double stamp_variance = 0.0;  ///< J², of both edges
  double scale = 1.0;

  /// J² before scaling, of a window so long whose pieces' squared lengths have this sum.
  [[nodiscard]] double unscaled(double length_s, double squares_s2) const {
    return stamp_variance + mean_w * mean_w *
                                (kPieceSpread * kPieceSpread * squares_s2 +
                                 kWholeSpread * kWholeSpread * length_s * length_s);
  }
};

struct ClassPowers {
  std::vector<double> watts;          ///< by class; above 0
  std::vector<double> covariance_w2;  ///< classes × classes; empty where all were taken alike
  WindowNoise noise;                  ///< what of windows' energies the classes do not explain
  double prior_spread = 0.0;  ///< relative standard deviation of powers before windows were seen
  std::size_t windows = 0;    ///< that told of them

  [[nodiscard]] bool has_covariance() const { return !covariance_w2.empty(); }
  [[nodiscard]] double covariance(std::size_t a, std::size_t b) const {
    return covariance_w2[a * watts.size() + b];
  }
};

}  // namespace enprof
