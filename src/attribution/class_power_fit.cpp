#include "attribution/class_power_fit.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace enprof {
namespace {

using Eigen::Index;

/// A class draws at least this share of its prior power, whatever the windows say. With 0, the
/// energy of a window in which only that class ran would belong to no class.
constexpr double kLeastPower = 0.02;
/// The noise's scale is searched for between these; its logarithm has this prior standard
/// deviation.
constexpr double kLeastScale = 1e-3;
constexpr double kMostScale = 1e4;
/// At least this share of the variance that a sensor gives for its time stamps is used.
constexpr double kStampTrust = 0.25;
constexpr double kLeastSpread = 0.02;
constexpr double kMostSpread = 0.6;
constexpr double kScaleSigma = 2.0;
/// The most by which correlated residuals may widen the noise of a direction.
constexpr double kMostInflation = 1e4;

Index index(std::size_t value) { return static_cast<Index>(value); }

}  // namespace

ClassPowerFit::ClassPowerFit(std::size_t classes, std::size_t windows, const WindowNoise& noise,
                             Watts rest, std::vector<std::optional<PriorPower>> priors)
    : classes_(classes),
      rest_w_(rest.value()),
      knots_(std::min(kMostDriftKnots, windows / kDriftWindows)),
      noise_(noise),
      priors_(std::move(priors)),
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

/// Reads the row's entries: seconds by class, joules by knot of drift.
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
  gram_.triangularView<Eigen::StrictlyLower>() = gram_.transpose();
  choose_prior();

  const Eigen::VectorXd along = gram_ * prior_mean_;
  residual_squares_ =
      std::max(0.0, squares_ - 2.0 * prior_mean_.dot(moments_) + prior_mean_.dot(along));
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(from_z_.transpose() * gram_ * from_z_);
  values_ = eigen.eigenvalues().cwiseMax(0.0);
  vectors_ = eigen.eigenvectors();
  rotated_ = vectors_.transpose() * (from_z_.transpose() * (moments_ - along));

  choose_spread();
  posterior_ = prior_mean_ +
               from_z_ * (vectors_ * rotated_.cwiseQuotient((values_.array() + ratios_).matrix()));
}

/// Sets the mean and the covariance that powers have before the windows are looked at.
void ClassPowerFit::choose_prior() {
  const Index columns = gram_.rows();
  prior_mean_ = Eigen::VectorXd::Zero(columns);
  for (std::size_t work = 0; work < classes_; ++work) {
    const double mean = time_s_[work] > 0.0 ? power_time_[work] / time_s_[work] : rest_w_;
    prior_mean_[index(work)] = std::max(mean, kLeastPower * noise_.mean_w);
  }
  // The unit of z: for a class its prior power; for drift the mean power, which its columns contain
  // already. Drift has no mean, because that belongs to the classes.
  from_z_ = Eigen::MatrixXd::Zero(columns, columns);
  from_z_.diagonal().head(index(classes_)) = prior_mean_.head(index(classes_));
  const Index knots = index(knots_);
  from_z_.bottomRightCorner(knots, knots) = Eigen::MatrixXd::Identity(knots, knots).array() -
                                            1.0 / static_cast<double>(std::max<Index>(knots, 1));

  Eigen::VectorXd calibrated = Eigen::VectorXd::Zero(columns);
  std::map<std::uint32_t, std::vector<Index>> groups;
  for (std::size_t work = 0; work < priors_.size(); ++work) {
    if (priors_[work]) {
      calibrated[index(work)] = priors_[work]->watts;
      groups[priors_[work]->group].push_back(index(work));
    }
  }
  if (groups.empty()) {
    return;
  }
  Eigen::VectorXd others = prior_mean_;
  others = (calibrated.array() > 0.0).select(0.0, others);
  const Eigen::VectorXd along = gram_ * calibrated;
  const double squares = calibrated.dot(along);
  const double factor =
      squares > 0.0 ? (calibrated.dot(moments_) - others.dot(along)) / squares : 0.0;
  if (factor > 0.0) {
    prior_factor_ = factor;
  }
  prior_mean_ = others + prior_factor_.value_or(1.0) * calibrated;
  for (const auto& [group, works] : groups) {
    const auto count = static_cast<Index>(works.size());
    Eigen::MatrixXd correlation = Eigen::MatrixXd::Constant(count, count, kGroupCorrelation);
    correlation.diagonal().setOnes();
    const Eigen::MatrixXd half = correlation.llt().matrixL();
    for (Index a = 0; a < count; ++a) {
      const Index row = works[static_cast<std::size_t>(a)];
      const double unit =
          prior_mean_[row] * priors_[static_cast<std::size_t>(row)]->deviation / kPriorSpread;
      for (Index b = 0; b < count; ++b) {
        from_z_(row, works[static_cast<std::size_t>(b)]) = unit * half(a, b);
      }
    }
  }
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
  const auto spread_at = [](int i) {
    return kLeastSpread * std::pow(kMostSpread / kLeastSpread, i / double{kSpreads});
  };
  const auto variance_at = [least](int j) {
    return least * std::pow(kMostScale / least, j / double{kScales});
  };
  std::array<std::array<double, kScales + 1>, kSpreads + 1> logs{};
  double best = -std::numeric_limits<double>::infinity();
  for (int i = 0; i <= kSpreads; ++i) {
    for (int j = 0; j <= kScales; ++j) {
      const double value = log_posterior(spread_at(i), variance_at(j));
      logs[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = value;
      if (value > best) {
        best = value;
        spread_ = spread_at(i);
        variance_ = variance_at(j);
      }
    }
  }
  // The mean of z over all spreads and scales, by their probability.
  Eigen::ArrayXd shrunk = Eigen::ArrayXd::Zero(values_.size());
  double all = 0.0;
  for (int i = 0; i <= kSpreads; ++i) {
    for (int j = 0; j <= kScales; ++j) {
      const double weight =
          std::exp(logs[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] - best);
      if (weight > 1e-4) {
        const double ratio = variance_at(j) / (spread_at(i) * spread_at(i));
        shrunk += weight * (values_.array() + ratio).inverse();
        all += weight;
      }
    }
  }
  ratios_ = (all / shrunk - values_.array()).max(1e-300);
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

/// The sum over blocks of Xᵀr (Xᵀr)ᵀ, in the basis of the eigenvectors, for all rows.
Eigen::MatrixXd ClassPowerFit::rotated_clusters() const {
  const double used = (values_.array() / (values_.array() + ratios_)).sum();
  const auto rows = static_cast<double>(rows_);
  const double scale = rows / static_cast<double>(checked_rows_) *
                       (rows / std::max(rows - used, 0.2 * rows));  // fit makes residuals small
  const Eigen::MatrixXd whole = clusters_.selfadjointView<Eigen::Upper>();
  const Eigen::MatrixXd to_rotated = from_z_ * vectors_;
  return to_rotated.transpose() * whole * to_rotated * scale;
}

ClassPowers ClassPowerFit::result() const {
  const double honest = std::max(spread_ * spread_, kPriorSpread * kPriorSpread);
  const bool is_checked = checked_rows_ >= 2 * block_size_;
  // The noise of Xᵀr: σ² XᵀX if residuals are independent. Where their sums over blocks vary more,
  // that direction of z is known less well, and stays closer to the prior.
  const Eigen::ArrayXd white_noise = variance_ * values_.array();
  Eigen::MatrixXd noise = white_noise.matrix().asDiagonal();
  Eigen::ArrayXd ratios = ratios_;
  if (is_checked) {
    const Eigen::MatrixXd clusters = rotated_clusters();
    const Eigen::ArrayXd inflation =
        (clusters.diagonal().array() / white_noise.max(1e-300)).max(1.0).min(kMostInflation);
    ratios *= inflation;
    noise = clusters;
  }
  const Eigen::ArrayXd precision = values_.array() + ratios;
  const Eigen::VectorXd posterior =
      prior_mean_ + from_z_ * (vectors_ * (rotated_.array() / precision).matrix());

  // The error of the estimate, in the basis of the eigenvectors and before division by `precision`:
  // that noise, and the ridge's bias.
  const Eigen::ArrayXd white = (white_noise + ratios.square() * honest).sqrt();
  Eigen::MatrixXd inner = Eigen::MatrixXd::Identity(values_.size(), values_.size());
  if (is_checked) {
    Eigen::MatrixXd excess = noise;
    excess.diagonal().array() -= white_noise;
    const Eigen::VectorXd shrink = white.inverse().matrix();
    excess = shrink.asDiagonal() * excess * shrink.asDiagonal();
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(excess);
    inner += eigen.eigenvectors() * eigen.eigenvalues().cwiseMax(0.0).asDiagonal() *
             eigen.eigenvectors().transpose();
  }

  ClassPowers powers{
      .noise = noise_, .prior_spread = spread_, .windows = rows_, .prior_factor = prior_factor_};
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
    powers.watts[work] = std::max(posterior[index(work)], kLeastPower * prior_w);
  }
  return powers;
}

}  // namespace enprof
