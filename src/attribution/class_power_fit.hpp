// What power each kind of work draws, as far as the mix of work in windows of energy can tell.
#pragma once

#include "attribution/class_powers.hpp"

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
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
/// by its time there. A window in which every class has its usual share says nothing about z, and z
/// stays at 0 ± τ; what differs from window to window in their mix moves it. Drift is a common
/// offset, linear between knots that are at least kDriftWindows windows apart, with the same prior:
/// so that slow changes of all power (temperature, clock) are not mistaken for the power of what
/// happened to run then. Its mean over the run is 0.
///
/// τ and the noise's variance are those of highest marginal likelihood × a log-normal prior on τ
/// around kPriorSpread, which keeps windows that say nothing from being read as "all alike".
///
/// The covariance is the posterior's, σ² (XᵀX + σ²/τ²)⁻¹, made wider, never narrower,
/// - to what it would be with τ = kPriorSpread, where the chosen one is smaller: how alike the
///   classes are that windows do tell apart says little of those that they do not;
/// - where sums of residuals over blocks of neighbouring windows vary more than independent noise
///   would (cluster-robust: Liang and Zeger 1986, Newey and West 1987).
class ClassPowerFit {
 public:
  static constexpr double kPriorSpread = 0.35;      ///< τ, where windows say nothing about it
  static constexpr double kPriorSpreadSigma = 0.3;  ///< of ln τ
  static constexpr std::size_t kDriftWindows = 12;
  static constexpr std::size_t kMostDriftKnots = 24;

  /// One class's time in a window.
  struct Part {
    std::uint32_t work = 0;
    double time_s = 0.0;
  };
  /// A window of energy that work covers whole.
  struct Row {
    std::span<const Part> parts;  ///< each class once
    double energy_j = 0.0;        ///< of the parts
    double length_s = 0.0;        ///< of the window
    double squares_s2 = 0.0;      ///< sum of its pieces' squared lengths
    double at = 0.0;              ///< 0–1: where in the run
  };

  /// `windows` is about how many rows there will be.
  ClassPowerFit(std::size_t classes, std::size_t windows, const WindowNoise& noise);

  /// First pass: each window, in the order of time.
  void add(const Row& row);
  /// Between the passes.
  void solve();
  /// Second pass: the same windows again, or some whole blocks of block_size() of them.
  void check(const Row& row);
  /// After both.
  [[nodiscard]] ClassPowers result() const;

  /// How many neighbouring windows make a block.
  [[nodiscard]] std::size_t block_size() const { return block_size_; }

 private:
  struct Entry {
    std::size_t column;
    double value;
  };
  void read(const Row& row);
  void close_block();
  void choose_spread();
  [[nodiscard]] double log_posterior(double spread, double variance) const;

  std::size_t classes_;
  std::size_t knots_;  // of drift; 0: none
  WindowNoise noise_;
  std::vector<Entry> entries_;  // of the row that is being read

  std::size_t rows_ = 0;
  Eigen::MatrixXd gram_;      // XᵀX in W and relative drift; upper triangle
  Eigen::VectorXd moments_;   // XᵀE
  double squares_ = 0.0;      // EᵀE
  double stamp_share_ = 0.0;  // sum over rows of time stamps' share in the expected noise
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
  Eigen::VectorXd posterior_;  // of prior_mean_ + what z adds

  Eigen::VectorXd block_;  // Xᵀ r of the block
  std::size_t block_size_;
  std::size_t block_rows_ = 0;
  std::size_t checked_rows_ = 0;
  Eigen::MatrixXd clusters_;  // Σ of block_ block_ᵀ
};

}  // namespace enprof
