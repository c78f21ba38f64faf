// The power of each kind of work, and its uncertainty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace enprof {

/// The variance of a window's energy around the power of its classes of work: `scale` × the sum of
/// - the error of the time stamps at its two edges,
/// - (kPieceSpread × the energy)² of each piece of work in it, independent of the others,
/// - (kWholeSpread × the energy)² of the whole window.
/// The three are guesses that distinguish windows of large pieces from windows of many small ones;
/// the scale is fitted.
struct WindowNoise {
  static constexpr double kPieceSpread = 0.05;
  static constexpr double kWholeSpread = 0.003;
  /// A guess of how much the seen and the unseen part of a window differ, before it is fitted.
  static constexpr double kUnseenSpread = 0.1;

  double mean_w = 0.0;
  double stamp_variance = 0.0;  ///< J², of both edges
  double scale = 1.0;

  /// J² before scaling, of a window of this length whose pieces' squared lengths have this sum.
  [[nodiscard]] double unscaled(double length_s, double squares_s2) const {
    return stamp_variance + mean_w * mean_w *
                                (kPieceSpread * kPieceSpread * squares_s2 +
                                 kWholeSpread * kWholeSpread * length_s * length_s);
  }
};

/// What is known of a class's power before any window of the run, from a calibration. A factor that
/// all calibrated classes of a run have in common (clock, temperature) is unknown.
struct PriorPower {
  double watts = 0.0;
  double deviation = 0.0;   ///< relative standard deviation
  std::uint32_t group = 0;  ///< kinds of work of one group deviate together
};

struct ClassPowers {
  std::vector<double> watts;          ///< by class; above 0
  std::vector<double> covariance_w2;  ///< classes × classes; empty if all were assumed equal
  WindowNoise noise;                  ///< the part of windows' energies that classes do not explain
  double prior_spread = 0.0;          ///< relative standard deviation of powers in the prior
  std::size_t windows = 0;            ///< number of windows in the fit
  /// The factor that the calibrated classes have in common: power in this run over that in the
  /// calibration. Empty without a calibration, or without windows to find it.
  std::optional<double> prior_factor{};

  [[nodiscard]] bool has_covariance() const { return !covariance_w2.empty(); }
  [[nodiscard]] double covariance(std::size_t a, std::size_t b) const {
    return covariance_w2[a * watts.size() + b];
  }
};

}  // namespace enprof
