// Estimates the power of each kind of work from the mix of work in windows of energy.
#pragma once

#include "enprof/base/units.hpp"

#include "attribution/class_powers.hpp"

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// A linear regression of windows' energies on the time that each class of work had in them, with
/// empirical-Bayes shrinkage (ridge):
///
///   E = Σ p_c T_c + drift + noise,   p_c = m_c (1 + z_c),   z_c ~ N(0, τ²)
///   noise ~ N(0, σ² × WindowNoise::unscaled)
///
/// where m_c, the prior mean of a class, is the mean power of the windows that it was in, weighted
/// by its time there. A window in which every class has its usual share does not inform about z,
/// which stays at 0 ± τ; differences between the windows' mixes change it.
///
/// A calibrated class has its own prior instead: m_c is its calibrated power × a factor that all
/// calibrated classes have in common (fitted to the windows by least squares), and its deviation
/// takes the place of kPriorSpread: z_c ~ N(0, (τ d_c / kPriorSpread)²). The deviations of one
/// group's kinds of work have the correlation kGroupCorrelation.
///
/// Drift is a common
/// offset, linear between knots that are at least kDriftWindows windows apart, with the same prior:
/// so a slow change of all power (temperature, clock) is not mistaken for the power of the class
/// that ran then. Its mean over the run is 0.
///
/// τ and the noise's variance maximize the marginal likelihood × a log-normal prior on τ around
/// kPriorSpread. That prior prevents windows without information from being read as "all alike".
///
/// The covariance is that of the posterior, σ² (XᵀX + σ²/τ²)⁻¹, widened but never narrowed
/// - to its value for τ = kPriorSpread, if the chosen τ is smaller: the spread of the classes that
///   windows do distinguish says little about those that they do not;
/// - if sums of residuals over blocks of neighbouring windows vary more than independent noise
///   would (cluster-robust: Liang and Zeger 1986, Newey and West 1987).
class ClassPowerFit {
 public:
  static constexpr double kPriorSpread = 0.35;      ///< τ, if windows do not inform about it
  static constexpr double kPriorSpreadSigma = 1.0;  ///< of ln τ
  static constexpr double kGroupCorrelation = 0.8;
  static constexpr std::size_t kDriftWindows = 12;
  static constexpr std::size_t kMostDriftKnots = 24;

  /// One class's time in a window.
  struct Part {
    std::uint32_t work = 0;
    double time_s = 0.0;
  };
  /// A window of energy that is fully covered by work.
  struct Row {
    std::span<const Part> parts;  ///< each class once
    double energy_j = 0.0;        ///< of the parts
    double length_s = 0.0;        ///< of the window
    double squares_s2 = 0.0;      ///< sum of its pieces' squared lengths
    double at = 0.0;              ///< 0–1: its position in the run
  };

  /// `windows`: about how many rows there will be. `rest`: the prior mean of classes that are in no
  /// row. `priors`: by class, what a calibration says; empty if there is none.
  ClassPowerFit(std::size_t classes, std::size_t windows, const WindowNoise& noise, Watts rest,
                std::vector<std::optional<PriorPower>> priors = {});

  /// First pass: call for each window, in order of time.
  void add(const Row& row);
  /// Call between the passes.
  void solve();
  /// Second pass: call for the same windows again, or for some whole blocks of block_size()
  /// windows.
  void check(const Row& row);
  /// Call after both passes.
  [[nodiscard]] ClassPowers result() const;

  /// The number of neighbouring windows in a block.
  [[nodiscard]] std::size_t block_size() const { return block_size_; }

 private:
  struct Entry {
    std::size_t column;
    double value;
  };
  void read(const Row& row);
  void close_block();
  void choose_prior();
  void choose_spread();
  [[nodiscard]] double log_posterior(double spread, double variance) const;
  [[nodiscard]] Eigen::MatrixXd rotated_clusters() const;

  std::size_t classes_;
  double rest_w_;
  std::size_t knots_;  // of drift; 0: no drift
  WindowNoise noise_;
  std::vector<std::optional<PriorPower>> priors_;  // by class; empty: no calibration
  std::optional<double> prior_factor_;
  std::vector<Entry> entries_;  // of the row that is being read

  std::size_t rows_ = 0;
  Eigen::MatrixXd gram_;      // XᵀX in W and relative drift; upper triangle
  Eigen::VectorXd moments_;   // XᵀE
  double squares_ = 0.0;      // EᵀE
  double stamp_share_ = 0.0;  // sum over rows of the time stamps' share of the expected noise
  std::vector<double> time_s_;
  std::vector<double> power_time_;  // Σ time × the window's mean power

  Eigen::VectorXd prior_mean_;
  Eigen::MatrixXd from_z_;   // W, and relative drift, by z
  Eigen::VectorXd values_;   // eigenvalues of XᵀX in units of z
  Eigen::MatrixXd vectors_;  // and its eigenvectors
  Eigen::VectorXd rotated_;  // Xᵀ(E − Xm), in their basis
  double residual_squares_ = 0.0;
  double spread_ = kPriorSpread;
  double variance_ = 1.0;      // of noise, over WindowNoise::unscaled
  Eigen::ArrayXd ratios_;      // the noise's variance over that of the prior, by eigenvalue
  Eigen::VectorXd posterior_;  // prior_mean_ plus the contribution of z

  Eigen::VectorXd block_;  // Xᵀ r of the block
  std::size_t block_size_;
  std::size_t block_rows_ = 0;
  std::size_t checked_rows_ = 0;
  Eigen::MatrixXd clusters_;  // Σ of block_ block_ᵀ
};

}  // namespace enprof
