#include "experiment/analysis/scaling_fit.hpp"

#include "experiment/analysis/least_squares.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

namespace enprof {
namespace {

/// The derivatives of the curve by its coefficients.
std::vector<double> gradient_of(const CurveFit& curve, double x) {
  switch (curve.kind) {
    case CurveKind::constant:
      return {1.0};
    case CurveKind::linear:
      return {1.0, x};
    case CurveKind::power_law: {
      const double power = std::pow(x, curve.coefficients[1]);
      return {power, curve.coefficients[0] * power * std::log(x)};
    }
  }
  return {};
}

double square_of(const std::vector<double>& covariance, const std::vector<double>& gradient) {
  double square = 0.0;
  for (std::size_t row = 0; row < gradient.size(); ++row) {
    for (std::size_t column = 0; column < gradient.size(); ++column) {
      square += gradient[row] * covariance[row * gradient.size() + column] * gradient[column];
    }
  }
  return std::max(square, 0.0);
}

CurveFit curve_of(CurveKind kind, const LeastSquares& fit, std::vector<double> coefficients,
                  std::span<const double> xs, std::span<const double> ys) {
  CurveFit curve{.kind = kind,
                 .coefficients = std::move(coefficients),
                 .covariance = fit.covariance,
                 .freedom = fit.freedom,
                 .aicc = aicc_of(fit),
                 .scatter = fit.scale()};
  for (std::size_t point = 0; point < xs.size(); ++point) {
    curve.residuals.push_back((ys[point] - curve.at(xs[point])) / ys[point]);
  }
  return curve;
}

std::optional<CurveFit> fit_polynomial(CurveKind kind, std::span<const double> xs,
                                       std::span<const double> ys) {
  std::vector<std::vector<double>> rows;
  for (const double x : xs) {
    rows.push_back(kind == CurveKind::constant ? std::vector{1.0} : std::vector{1.0, x});
  }
  const auto fit = fit_least_squares(rows, ys, ys);
  return fit ? std::optional{curve_of(kind, *fit, fit->coefficients, xs, ys)} : std::nullopt;
}

/// By Gauss and Newton, from the line through the logarithms.
std::optional<CurveFit> fit_power_law(std::span<const double> xs, std::span<const double> ys) {
  std::vector<std::vector<double>> rows;
  std::vector<double> logarithms;
  for (std::size_t point = 0; point < xs.size(); ++point) {
    rows.push_back({1.0, std::log(xs[point])});
    logarithms.push_back(std::log(ys[point]));
  }
  const std::vector<double> ones(xs.size(), 1.0);
  const auto start = fit_least_squares(rows, logarithms, ones);
  if (!start) {
    return std::nullopt;
  }
  CurveFit curve{.kind = CurveKind::power_law,
                 .coefficients = {std::exp(start->coefficients[0]), start->coefficients[1]}};
  constexpr int kMostSteps = 100;
  constexpr double kEnough = 1e-12;
  for (int step = 0; step < kMostSteps; ++step) {
    std::vector<double> rests;
    rows.clear();
    for (std::size_t point = 0; point < xs.size(); ++point) {
      rows.push_back(gradient_of(curve, xs[point]));
      rests.push_back(ys[point] - curve.at(xs[point]));
    }
    const auto fit = fit_least_squares(rows, rests, ys);
    if (!fit) {
      return std::nullopt;
    }
    const bool is_done =
        std::abs(fit->coefficients[0]) <= kEnough * std::abs(curve.coefficients[0]) &&
        std::abs(fit->coefficients[1]) <= kEnough * (1.0 + std::abs(curve.coefficients[1]));
    if (is_done || step + 1 == kMostSteps) {
      return curve_of(CurveKind::power_law, *fit, curve.coefficients, xs, ys);
    }
    curve.coefficients[0] += fit->coefficients[0];
    curve.coefficients[1] += fit->coefficients[1];
    if (!std::isfinite(curve.coefficients[0]) || !std::isfinite(curve.coefficients[1])) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

bool are_enough(std::span<const double> xs) {
  return std::set<double>(xs.begin(), xs.end()).size() >= ScalingFit::kLeastToFit;
}

}  // namespace

std::string_view to_string(CurveKind kind) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"constant", "linear", "power_law"};
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string_view formula_of(CurveKind kind) noexcept {
  constexpr std::array<std::string_view, 3> kFormulas{"y = a", "y = a + b x", "y = a x^b"};
  const auto index = static_cast<std::size_t>(kind);
  return index < kFormulas.size() ? kFormulas[index] : "unknown";
}

double CurveFit::at(double x) const {
  switch (kind) {
    case CurveKind::constant:
      return coefficients[0];
    case CurveKind::linear:
      return coefficients[0] + coefficients[1] * x;
    case CurveKind::power_law:
      return coefficients[0] * std::pow(x, coefficients[1]);
  }
  return 0.0;
}

std::optional<double> CurveFit::half_at(double x, double confidence) const {
  if (covariance.empty()) {
    return std::nullopt;
  }
  return coverage_factor(confidence, freedom) *
         std::sqrt(square_of(covariance, gradient_of(*this, x)));
}

std::optional<double> CurveFit::half_of(std::size_t coefficient, double confidence) const {
  if (covariance.empty()) {
    return std::nullopt;
  }
  const double square = covariance[coefficient * coefficients.size() + coefficient];
  return coverage_factor(confidence, freedom) * std::sqrt(std::max(square, 0.0));
}

std::optional<CurveFit> fit_line(std::span<const double> xs, std::span<const double> ys) {
  return are_enough(xs) ? fit_polynomial(CurveKind::linear, xs, ys) : std::nullopt;
}

std::optional<ScalingFit> fit_scaling(std::span<const double> xs, std::span<const double> ys) {
  if (!are_enough(xs)) {
    return std::nullopt;
  }
  ScalingFit result;
  const auto add = [&](std::optional<CurveFit> curve) {
    if (curve) {
      result.curves.push_back(*std::move(curve));
    }
  };
  add(fit_polynomial(CurveKind::constant, xs, ys));
  add(fit_polynomial(CurveKind::linear, xs, ys));
  add(fit_power_law(xs, ys));
  if (result.curves.empty()) {
    return std::nullopt;
  }
  const bool can_choose = std::ranges::all_of(
      result.curves, [](const CurveFit& curve) { return curve.aicc.has_value(); });
  if (!can_choose) {
    return result;
  }
  const auto aicc = [&](std::size_t index) { return *result.curves[index].aicc; };
  std::size_t best = 0;
  for (std::size_t index = 1; index < result.curves.size(); ++index) {
    best = aicc(index) < aicc(best) ? index : best;
  }
  result.chosen = best;
  for (std::size_t index = 0; index < result.curves.size(); ++index) {
    const bool is_near = index != best && aicc(index) - aicc(best) < ScalingFit::kMuchBetter;
    if (is_near && (!result.second || aicc(index) < aicc(*result.second))) {
      result.second = index;
    }
  }
  return result;
}

}  // namespace enprof
