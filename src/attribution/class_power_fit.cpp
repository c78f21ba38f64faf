#include "attribution/class_power_fit.hpp"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>

namespace enprof {
namespace {

using Eigen::Index;

/// A class draws at least this much of its prior power, whatever the windows say: 0 would leave a
/// window in which nothing else ran without anyone to give its energy to.
constexpr double kLeastPower = 0.02;
/// The noise's scale is looked for between these; its logarithm has this standard deviation before
/// windows were seen.
constexpr double kLeastScale = 1e-3;
constexpr double kMostScale = 1e4;
/// Of what a sensor says about its time stamps, at least this share of the variance is believed.
constexpr double kStampTrust = 0.25;
constexpr double kLeastSpread = 0.05;
constexpr double kMostSpread = 0.6;
constexpr double kScaleSigma = 2.0;

Index index(std::size_t value) { return static_cast<Index>(value); }

}  // namespace

ClassPowerFit::ClassPowerFit(std::size_t classes, std::size_t windows, const WindowNoise& noise)
    : classes_(classes),
      knots_(std::min(kMostDriftKnots, windows / kDriftWindows)),
      noise_(noise),
      time_s_(classes),
      power_time_(classes),
      block_size_(std::clamp<std::size_t>(windows / 16, 4, 32)) {
  knots_ = knots_ < 2 ? 0 : knots_;
  const Index columns = index(classes_ + knots_);
  gram_ = Eigen::MatrixXd::Zero(columns, columns);
  moments_ = Eigen::VectorXd::Zero(columns);
  block_ = Eigen::VectorXd::Zero(columns);
  clusters_ = Eigen::MatrixXd::Zero(columns, columns);
}

/// The row's entries: seconds by class, joules by knot of drift.
void ClassPowerFit::read(const Row& row) {
  entries_.clear();
  for (const Part& part : row.parts) {
    entries_.push_back({part.work, part.time_s});
  }
  if (knots_ > 0) {
    const double place = std::clamp(row.at, 0.0, 1.0) * static_cast<double>(knots_ - 1);
    const auto left = std::min(static_cast<std::size_t>(place), knots_ - 2);
    const double right = place - static_cast<double>(left);
    const double joules = noise_.mean_w * row.length_s;
    entries_.push_back({classes_ + left, joules * (1.0 - right)});
    entries_.push_back({classes_ + left + 1, joules * right});
  }
}

void ClassPowerFit::add(const Row& row) {
  read(row);
  const double precision = 1.0 / noise_.unscaled(row.length_s, row.squares_s2);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto [column, value] = entries_[i];
    const double weighted = value * precision;
    moments_[index(column)] += weighted * row.energy_j;
    for (std::size_t j = i; j < entries_.size(); ++j) {
      const auto [low, high] = std::minmax(column, entries_[j].column);
      gram_(index(low), index(high)) += weighted * entries_[j].value;
    }
  }
  squares_ += row.energy_j * row.energy_j * precision;
  stamp_share_ += noise_.stamp_variance * precision;
  double time_s = 0.0;
  for (const Part& part : row.parts) {
    time_s += part.time_s;
  }
  const double power = row.energy_j / time_s;
  for (const Part& part : row.parts) {
    time_s_[part.work] += part.time_s;
    power_time_[part.work] += part.time_s * power;
  }
  ++rows_;
}

void ClassPowerFit::solve() {
  const Index columns = gram_.rows();
  gram_.triangularView<Eigen::StrictlyLower>() = gram_.transpose();
  prior_mean_ = Eigen::VectorXd::Zero(columns);
  for (std::size_t work = 0; work < classes_; ++work) {
    const double mean = time_s_[work] > 0.0 ? power_time_[work] / time_s_[work] : noise_.mean_w;
    prior_mean_[index(work)] = std::max(mean, kLeastPower * noise_.mean_w);
  }
  // What z is relative to: a class's prior power; of drift, the mean power, which is in its
  // columns. Drift has no mean, as that is the classes' own.
  from_z_ = Eigen::MatrixXd::Zero(columns, columns);
  from_z_.diagonal().head(index(classes_)) = prior_mean_.head(index(classes_));
  const Index knots = index(knots_);
  from_z_.bottomRightCorner(knots, knots) = Eigen::MatrixXd::Identity(knots, knots).array() -
                                            1.0 / static_cast<double>(std::max<Index>(knots, 1));

  const Eigen::VectorXd along = gram_ * prior_mean_;
  residual_squares_ =
      std::max(0.0, squares_ - 2.0 * prior_mean_.dot(moments_) + prior_mean_.dot(along));
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(from_z_.transpose() * gram_ * from_z_);
  values_ = eigen.eigenvalues().cwiseMax(0.0);
  vectors_ = eigen.eigenvectors();
  rotated_ = vectors_.transpose() * (from_z_.transpose() * (moments_ - along));

  choose_spread();
  const double ratio = variance_ / (spread_ * spread_);
  posterior_ = prior_mean_ +
               from_z_ * (vectors_ * rotated_.cwiseQuotient((values_.array() + ratio).matrix()));
}

double ClassPowerFit::log_posterior(double spread, double variance) const {
  const double prior = spread * spread;
  double determinant = 0.0;
  double explained = 0.0;
  for (Index i = 0; i < values_.size(); ++i) {
    determinant += std::log1p(prior * values_[i] / variance);
    explained += rotated_[i] * rotated_[i] * prior / (variance + prior * values_[i]);
  }
  const auto rows = static_cast<double>(rows_);
  const double departure = std::hypot(std::log(spread / kPriorSpread) / kPriorSpreadSigma,
                                      std::log(variance) / kScaleSigma);
  return -0.5 * (rows * std::log(variance) + determinant +
                 std::max(0.0, residual_squares_ - explained) / variance + departure * departure);
}

void ClassPowerFit::choose_spread() {
  constexpr int kSpreads = 24;
  constexpr int kScales = 70;
  const double least =
      rows_ > 0
          ? std::clamp(kStampTrust * stamp_share_ / static_cast<double>(rows_), kLeastScale, 1.0)
          : 1.0;
  double best = -std::numeric_limits<double>::infinity();
  for (int i = 0; i <= kSpreads; ++i) {
    const double spread = kLeastSpread * std::pow(kMostSpread / kLeastSpread, i / double{kSpreads});
    for (int j = 0; j <= kScales; ++j) {
      const double variance = least * std::pow(kMostScale / least, j / double{kScales});
      const double value = log_posterior(spread, variance);
      if (value > best) {
        best = value;
        spread_ = spread;
        variance_ = variance;
      }
    }
  }
}

void ClassPowerFit::check(const Row& row) {
  read(row);
  double residual = row.energy_j;
  for (const auto [column, value] : entries_) {
    residual -= value * posterior_[index(column)];
  }
  residual /= noise_.unscaled(row.length_s, row.squares_s2);
  for (const auto [column, value] : entries_) {
    block_[index(column)] += value * residual;
  }
  ++checked_rows_;
  if (++block_rows_ == block_size_) {
    close_block();
  }
}

void ClassPowerFit::close_block() {
  clusters_.selfadjointView<Eigen::Upper>().rankUpdate(block_);
  block_.setZero();
  block_rows_ = 0;
}

ClassPowers ClassPowerFit::result() const {
  const double prior = spread_ * spread_;
  const double honest = std::max(prior, kPriorSpread * kPriorSpread);
  const double ratio = variance_ / prior;
  const Eigen::ArrayXd precision = values_.array() + ratio;

  // What the estimate is off by, in the eigenvectors' basis and before division by `precision`:
  // noise of Xᵀr, σ² XᵀX where residuals are independent, and the ridge's bias.
  const Eigen::ArrayXd white = (variance_ * values_.array() + ratio * ratio * honest).sqrt();
  Eigen::MatrixXd inner = Eigen::MatrixXd::Identity(values_.size(), values_.size());
  if (checked_rows_ >= 2 * block_size_) {
    const double used = (values_.array() / precision).sum();
    const auto rows = static_cast<double>(rows_);
    const double scale = rows / static_cast<double>(checked_rows_) *
                         (rows / std::max(rows - used, 0.2 * rows));  // residuals are too small
    const Eigen::MatrixXd whole = clusters_.selfadjointView<Eigen::Upper>();
    const Eigen::MatrixXd to_rotated = from_z_ * vectors_;
    Eigen::MatrixXd excess = to_rotated.transpose() * whole * to_rotated * scale;
    excess.diagonal().array() -= variance_ * values_.array();
    const Eigen::VectorXd shrink = white.inverse().matrix();
    excess = shrink.asDiagonal() * excess * shrink.asDiagonal();
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(excess);
    inner += eigen.eigenvectors() * eigen.eigenvalues().cwiseMax(0.0).asDiagonal() *
             eigen.eigenvectors().transpose();
  }

  ClassPowers powers{.noise = noise_, .prior_spread = spread_, .windows = rows_};
  powers.noise.scale = variance_;
  const Eigen::VectorXd outer = (white / precision).matrix();
  const Eigen::MatrixXd half = from_z_ * vectors_ * outer.asDiagonal();
  const Eigen::MatrixXd covariance = half * inner * half.transpose();
  powers.covariance_w2.reserve(classes_ * classes_);
  for (Index a = 0; a < index(classes_); ++a) {
    for (Index b = 0; b < index(classes_); ++b) {
      powers.covariance_w2.push_back(covariance(a, b));
    }
  }
  powers.watts.resize(classes_);
  for (std::size_t work = 0; work < classes_; ++work) {
    const double prior_w = prior_mean_[index(work)];
    powers.watts[work] = std::max(posterior_[index(work)], kLeastPower * prior_w);
  }
  return powers;
}

}  // namespace enprof
