#include "experiment/interval.hpp"

#include <cmath>

namespace enprof {
namespace {

/// The squared standard error of the mean; 0 for one value.
double square_of(const SampleMoments& moments) {
  const double error = moments.standard_error().value_or(0.0);
  return error * error;
}

}  // namespace

ChangeInterval independent_change(std::span<const double> a, std::span<const double> b,
                                  double confidence) {
  const SampleMoments before = sample_moments(a);
  const SampleMoments after = sample_moments(b);
  const double ratio = after.mean / before.mean;
  ChangeInterval result{.change = ratio - 1.0};
  if (a.size() < 2 || b.size() < 2) {
    return result;
  }
  const double of_before = square_of(before) * ratio * ratio / (before.mean * before.mean);
  const double of_after = square_of(after) / (before.mean * before.mean);
  const double square = of_before + of_after;
  // Welch–Satterthwaite.
  result.freedom = square > 0.0 ? square * square /
                                      (of_before * of_before / static_cast<double>(a.size() - 1) +
                                       of_after * of_after / static_cast<double>(b.size() - 1))
                                : static_cast<double>(a.size() + b.size() - 2);
  result.half = coverage_factor(confidence, result.freedom) * std::sqrt(square);
  return result;
}

ChangeInterval paired_change(std::span<const std::pair<double, double>> pairs, double confidence) {
  double a = 0.0;
  double b = 0.0;
  for (const auto& [before, after] : pairs) {
    a += before;
    b += after;
  }
  const double ratio = b / a;
  ChangeInterval result{.change = ratio - 1.0};
  if (pairs.size() < 2) {
    return result;
  }
  double squares = 0.0;
  for (const auto& [before, after] : pairs) {
    const double rest = after - ratio * before;
    squares += rest * rest;
  }
  const auto count = static_cast<double>(pairs.size());
  result.freedom = count - 1.0;
  result.half = coverage_factor(confidence, result.freedom) *
                std::sqrt(squares / (count - 1.0) / count) / (a / count);
  return result;
}

}  // namespace enprof
