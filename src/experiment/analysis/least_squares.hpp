// Weighted least squares.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// A fit of y = Σ coefficient × regressor, for values whose standard deviations are known up to one
/// factor.
struct LeastSquares {
  std::vector<double> coefficients{};
  /// Of the coefficients, row by row; scaled by the residuals. Empty without freedom: as many
  /// coefficients as values leave nothing to judge by.
  std::vector<double> covariance{};
  std::size_t count = 0;  ///< values
  double freedom = 0.0;   ///< values less coefficients
  double squares = 0.0;   ///< sum of the weighted squared residuals

  [[nodiscard]] double at(std::span<const double> regressors) const;
  /// The standard error of at(); empty without freedom.
  [[nodiscard]] std::optional<double> error_at(std::span<const double> regressors) const;
  [[nodiscard]] std::optional<double> error_of(std::size_t coefficient) const;
  /// The factor of the standard deviations; empty without freedom.
  [[nodiscard]] std::optional<double> scale() const;
};

/// `rows`: the regressors of each value, all equally many. `deviations`: above 0, one for each
/// value. Empty if the values are fewer than the regressors, or do not determine all coefficients.
[[nodiscard]] std::optional<LeastSquares> fit_least_squares(
    const std::vector<std::vector<double>>& rows, std::span<const double> values,
    std::span<const double> deviations);

/// Akaike's information criterion, corrected for few values (Hurvich and Tsai, Biometrika 76,
/// 1989), for normal errors whose scale is fitted too. Less is better. Empty if there are too few
/// values: it needs three more than coefficients.
[[nodiscard]] std::optional<double> aicc_of(const LeastSquares& fit);

}  // namespace enprof
