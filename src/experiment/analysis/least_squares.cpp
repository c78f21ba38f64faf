#include "experiment/analysis/least_squares.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <limits>

namespace enprof {
namespace {

using Eigen::Index;

Index index(std::size_t value) { return static_cast<Index>(value); }

}  // namespace

double LeastSquares::at(std::span<const double> regressors) const {
  double sum = 0.0;
  for (std::size_t each = 0; each < coefficients.size(); ++each) {
    sum += coefficients[each] * regressors[each];
  }
  return sum;
}

std::optional<double> LeastSquares::error_at(std::span<const double> regressors) const {
  if (covariance.empty()) {
    return std::nullopt;
  }
  double square = 0.0;
  for (std::size_t row = 0; row < coefficients.size(); ++row) {
    for (std::size_t column = 0; column < coefficients.size(); ++column) {
      square +=
          regressors[row] * covariance[row * coefficients.size() + column] * regressors[column];
    }
  }
  return std::sqrt(std::max(square, 0.0));
}

std::optional<double> LeastSquares::error_of(std::size_t coefficient) const {
  std::vector<double> unit(coefficients.size(), 0.0);
  unit[coefficient] = 1.0;
  return error_at(unit);
}

std::optional<double> LeastSquares::scale() const {
  return freedom > 0.0 ? std::optional{std::sqrt(squares / freedom)} : std::nullopt;
}

std::optional<LeastSquares> fit_least_squares(const std::vector<std::vector<double>>& rows,
                                              std::span<const double> values,
                                              std::span<const double> deviations) {
  const std::size_t columns = rows.empty() ? 0 : rows.front().size();
  if (columns == 0 || rows.size() < columns) {
    return std::nullopt;
  }
  Eigen::MatrixXd matrix(index(rows.size()), index(columns));
  Eigen::VectorXd wanted(index(rows.size()));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      matrix(index(row), index(column)) = rows[row][column] / deviations[row];
    }
    wanted(index(row)) = values[row] / deviations[row];
  }
  // Bytes and layers differ by many powers of ten: columns of one length keep the rank readable.
  Eigen::VectorXd lengths = matrix.colwise().norm();
  if ((lengths.array() <= 0.0).any() || !matrix.allFinite() || !wanted.allFinite()) {
    return std::nullopt;
  }
  const Eigen::MatrixXd scaled = matrix * lengths.cwiseInverse().asDiagonal();
  Eigen::ColPivHouseholderQR<Eigen::MatrixXd> solver(scaled);
  constexpr double kAlike = 1e-7;  // regressors that are alike to this are one
  solver.setThreshold(kAlike);
  if (solver.rank() < index(columns)) {
    return std::nullopt;
  }
  const Eigen::VectorXd solution = lengths.cwiseInverse().asDiagonal() * solver.solve(wanted);
  LeastSquares fit{.count = rows.size(), .freedom = static_cast<double>(rows.size() - columns)};
  fit.coefficients.assign(solution.begin(), solution.end());
  fit.squares = (wanted - matrix * solution).squaredNorm();
  if (fit.freedom > 0.0) {
    const Eigen::MatrixXd inverse = (scaled.transpose() * scaled).inverse();
    const double variance = fit.squares / fit.freedom;
    fit.covariance.resize(columns * columns);
    for (std::size_t row = 0; row < columns; ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        fit.covariance[row * columns + column] = variance * inverse(index(row), index(column)) /
                                                 (lengths(index(row)) * lengths(index(column)));
      }
    }
  }
  return fit;
}

std::optional<double> aicc_of(const LeastSquares& fit) {
  const auto count = static_cast<double>(fit.count);
  const auto parameters = static_cast<double>(fit.coefficients.size() + 1);  // and the scale
  if (count - parameters - 1.0 <= 0.0) {
    return std::nullopt;
  }
  // A perfect fit, as of made-up values, would have no logarithm.
  const double variance =
      std::max(fit.squares / count, std::numeric_limits<double>::epsilon() * 1e-6);
  return count * std::log(variance) + 2.0 * parameters +
         2.0 * parameters * (parameters + 1.0) / (count - parameters - 1.0);
}

}  // namespace enprof
