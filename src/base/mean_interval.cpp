#include "base/mean_interval.hpp"

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include <cmath>
#include <numeric>

namespace enprof {

double coverage_factor(double confidence, double freedom) {
  const double upper = 0.5 * (1.0 + confidence);
  if (!std::isfinite(freedom)) {
    return boost::math::quantile(boost::math::normal(), upper);
  }
  return boost::math::quantile(boost::math::students_t(freedom), upper);
}

std::optional<double> SampleMoments::standard_error() const {
  return deviation ? std::optional{*deviation / std::sqrt(static_cast<double>(count))}
                   : std::nullopt;
}

SampleMoments sample_moments(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  SampleMoments result{.count = values.size(),
                       .mean = std::accumulate(values.begin(), values.end(), 0.0) / count};
  if (values.size() > 1) {
    double squares = 0.0;
    for (const double value : values) {
      squares += (value - result.mean) * (value - result.mean);
    }
    result.deviation = std::sqrt(squares / (count - 1.0));
  }
  return result;
}

MeanInterval mean_interval(std::span<const double> values, double confidence) {
  const SampleMoments moments = sample_moments(values);
  MeanInterval result{.mean = moments.mean, .half = std::nullopt, .count = values.size()};
  if (const auto error = moments.standard_error()) {
    result.half = coverage_factor(confidence, static_cast<double>(values.size() - 1)) * *error;
  }
  return result;
}

}  // namespace enprof
