// Curves through the energies of points along one axis, and which of them the data speaks for.
#pragma once

#include "base/mean_interval.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

enum class CurveKind : std::uint8_t {
  constant,   ///< y = a
  linear,     ///< y = a + b x
  power_law,  ///< y = a x^b
};
[[nodiscard]] std::string_view to_string(CurveKind kind) noexcept;
/// "y = a + b x".
[[nodiscard]] std::string_view formula_of(CurveKind kind) noexcept;

/// A curve that was fitted. Scatter is taken to be proportional to the value, so that small and
/// large points count alike: weights are 1/y².
struct CurveFit {
  CurveKind kind = CurveKind::constant;
  std::vector<double> coefficients{};  ///< a, b
  std::vector<double> covariance{};    ///< row by row; empty without freedom
  double freedom = 0.0;
  std::optional<double> aicc{};
  std::vector<double> residuals{};  ///< (y − curve) / y, of each point
  std::optional<double> scatter{};  ///< relative standard deviation of the points about the curve

  [[nodiscard]] double at(double x) const;
  /// Half the interval of the curve itself at x.
  [[nodiscard]] std::optional<double> half_at(double x, double confidence = kUsualConfidence) const;
  /// Half the interval of a coefficient.
  [[nodiscard]] std::optional<double> half_of(std::size_t coefficient,
                                              double confidence = kUsualConfidence) const;
};

/// All curves, and the one of the least AICc.
struct ScalingFit {
  static constexpr std::size_t kLeastToFit = 3;
  /// AICc of a curve with two coefficients needs so many.
  static constexpr std::size_t kLeastToChoose = 5;
  /// Curves whose AICc differs by less are supported about equally (Burnham and Anderson, Model
  /// Selection and Multimodel Inference, 2.6).
  static constexpr double kMuchBetter = 2.0;

  std::vector<CurveFit> curves{};
  std::optional<std::size_t> chosen{};
  std::optional<std::size_t> second{};  ///< nearly as good: within kMuchBetter of it
};

/// `xs` and `ys` are above 0, one for each point. Empty below kLeastToFit different xs.
[[nodiscard]] std::optional<ScalingFit> fit_scaling(std::span<const double> xs,
                                                    std::span<const double> ys);

/// Only y = a + b x. Empty below kLeastToFit different xs; ys are above 0.
[[nodiscard]] std::optional<CurveFit> fit_line(std::span<const double> xs,
                                               std::span<const double> ys);

}  // namespace enprof
