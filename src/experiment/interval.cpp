#include "experiment/interval.hpp"

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include <cmath>
#include <numeric>

namespace enprof {
namespace {

struct Moments {
  double mean = 0.0;
  double square = 0.0;  // squared standard error of the mean; 0 for one value
};

Moments moments_of(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  if (values.size() < 2) {
    return {.mean = mean};
  }
  double squares = 0.0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return {.mean = mean, .square = squares / (count - 1.0) / count};
}

}  // namespace

double coverage_factor(double confidence, double freedom) {
  const double upper = 0.5 * (1.0 + confidence);
  if (!std::isfinite(freedom)) {
    return boost::math::quantile(boost::math::normal(), upper);
  }
  return boost::math::quantile(boost::math::students_t(freedom), upper);
}

MeanInterval mean_interval(std::span<const double> values, double confidence) {
  const Moments moments = moments_of(values);
  MeanInterval result{.mean = moments.mean, .half = std::nullopt, .count = values.size()};
  if (values.size() > 1) {
    result.half = coverage_factor(confidence, static_cast<double>(values.size() - 1)) *
                  std::sqrt(moments.square);
  }
  return result;
}

ChangeInterval independent_change(std::span<const double> a, std::span<const double> b,
                                  double confidence) {
  const Moments before = moments_of(a);
  const Moments after = moments_of(b);
  const double ratio = after.mean / before.mean;
  ChangeInterval result{.change = ratio - 1.0};
  if (a.size() < 2 || b.size() < 2) {
    return result;
  }
  const double of_before = before.square * ratio * ratio / (before.mean * before.mean);
  const double of_after = after.square / (before.mean * before.mean);
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
