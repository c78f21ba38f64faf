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
/// Noise below this share of a window's energy is not believed.
constexpr double kLeastNoise = 1e-4;

Index index(std::size_t value) { return static_cast<Index>(value); }

}  // namespace

ClassPowerFit::ClassPowerFit(std::size_t classes, std::size_t windows, double usual_length_s,
                             double mean_w, double least_variance)
    : classes_(classes),
      knots_(std::min(kMostDriftKnots, windows / kDriftWindows)),
      usual_length_s_(usual_length_s),
      mean_w_(mean_w),
      least_variance_(std::max(least_variance, std::pow(kLeastNoise * mean_w * usual_length_s, 2))),
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

double ClassPowerFit::weight(const Row& row) const {
  return 1.0 / std::sqrt(0.5 * (1.0 + row.length_s / usual_length_s_));
}

/// The row's entries: seconds by class, joules by knot of drift; weighted.
void ClassPowerFit::read(const Row& row) {
  const double w = weight(row);
  entries_.clear();
  for (const Part& part : row.parts) {
    entries_.push_back({part.work, part.time_s * w});
  }
  if (knots_ > 0) {
    const double place = std::clamp(row.at, 0.0, 1.0) * static_cast<double>(knots_ - 1);
    const auto left = std::min(static_cast<std::size_t>(place), knots_ - 2);
    const double right = place - static_cast<double>(left);
    const double joules = mean_w_ * row.length_s * w;
    entries_.push_back({classes_ + left, joules * (1.0 - right)});
    entries_.push_back({classes_ + left + 1, joules * right});
  }
}

void ClassPowerFit::add(const Row& row) {
  read(row);
  const double energy = row.energy_j * weight(row);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto [column, value] = entries_[i];
    moments_[index(column)] += value * energy;
    for (std::size_t j = i; j < entries_.size(); ++j) {
      const auto [low, high] = std::minmax(column, entries_[j].column);
      gram_(index(low), index(high)) += value * entries_[j].value;
    }
  }
  squares_ += energy * energy;
  const double power = row.energy_j / row.length_s;
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
  // What z is relative to: a class's prior power; for drift, the mean power is in the column.
  Eigen::VectorXd unit = Eigen::VectorXd::Ones(columns);
  for (std::size_t work = 0; work < classes_; ++work) {
    const double mean = time_s_[work] > 0.0 ? power_time_[work] / time_s_[work] : mean_w_;
    prior_mean_[index(work)] = std::max(mean, kLeastPower * mean_w_);
    unit[index(work)] = prior_mean_[index(work)];
  }
  const Eigen::VectorXd along = gram_ * prior_mean_;
  residual_squares_ =
      std::max(0.0, squares_ - 2.0 * prior_mean_.dot(moments_) + prior_mean_.dot(along));
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(unit.asDiagonal() * gram_ *
                                                             unit.asDiagonal());
  values_ = eigen.eigenvalues().cwiseMax(0.0);
  vectors_ = eigen.eigenvectors();
  rotated_ = vectors_.transpose() * (unit.asDiagonal() * (moments_ - along));

  choose_spread();
  const double ratio = variance_ / (spread_ * spread_);
  posterior_ =
      prior_mean_ +
      unit.asDiagonal() * (vectors_ * rotated_.cwiseQuotient((values_.array() + ratio).matrix()));
}

double ClassPowerFit::log_posterior(double spread, double variance) const {
  const double prior = spread * spread;
  double determinant = 0.0;
  double explained = 0.0;
  for (Index i = 0; i < values_.size(); ++i) {
    determinant += std::log1p(prior * values_[i] / variance);
    explained += rotated_[i] * rotated_[i] * prior / (variance + prior * values_[i]);
  }
  const double rows = static_cast<double>(rows_);
  const double departure = std::log(spread / kPriorSpread) / kPriorSpreadSigma;
  return -0.5 * (rows * std::log(variance) + determinant +
                 std::max(0.0, residual_squares_ - explained) / variance + departure * departure);
}

void ClassPowerFit::choose_spread() {
  constexpr int kSpreads = 24;
  constexpr int kVariances = 40;
  const double most =
      std::max(2.0 * residual_squares_ / static_cast<double>(std::max<std::size_t>(rows_, 1)),
               4.0 * least_variance_);
  double best = -std::numeric_limits<double>::infinity();
  for (int i = 0; i <= kSpreads; ++i) {
    const double spread = 0.05 * std::pow(24.0, i / double{kSpreads});  // 0.05 to 1.2
    for (int j = 0; j <= kVariances; ++j) {
      const double variance =
          least_variance_ * std::pow(most / least_variance_, j / double{kVariances});
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
  double residual = row.energy_j * weight(row);
  for (const auto [column, value] : entries_) {
    residual -= value * posterior_[index(column)];
  }
  for (const auto [column, value] : entries_) {
    const double unit = column < classes_ ? prior_mean_[index(column)] : 1.0;
    block_[index(column)] += value * unit * residual;
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
  const Eigen::ArrayXd precision = values_.array() + variance_ / prior;

  // Noise of Xᵀr in the eigenvectors' basis: σ² (XᵀX + σ²/τ²) where residuals are independent.
  const Eigen::ArrayXd white = (variance_ * precision).sqrt();
  Eigen::MatrixXd inner = Eigen::MatrixXd::Identity(values_.size(), values_.size());
  if (checked_rows_ >= 2 * block_size_) {
    const double used = (values_.array() / precision).sum();
    const double rows = static_cast<double>(rows_);
    const double scale = rows / static_cast<double>(checked_rows_) *
                         (rows / std::max(rows - used, 0.2 * rows));  // residuals are too small
    const Eigen::MatrixXd whole = clusters_.selfadjointView<Eigen::Upper>();
    Eigen::MatrixXd excess = vectors_.transpose() * whole * vectors_ * scale;
    excess.diagonal().array() -= variance_ * values_.array();
    const Eigen::VectorXd shrink = white.inverse().matrix();
    excess = shrink.asDiagonal() * excess * shrink.asDiagonal();
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(excess);
    inner += eigen.eigenvectors() * eigen.eigenvalues().cwiseMax(0.0).asDiagonal() *
             eigen.eigenvectors().transpose();
  }

  ClassPowers powers{.usual_length_s = usual_length_s_, .prior_spread = spread_, .windows = rows_};
  powers.window_variance = variance_;
  const Eigen::VectorXd outer = (white / precision).matrix();
  Eigen::VectorXd unit = prior_mean_;
  unit.tail(index(knots_)).setOnes();
  const Eigen::MatrixXd half = unit.asDiagonal() * vectors_ * outer.asDiagonal();
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
