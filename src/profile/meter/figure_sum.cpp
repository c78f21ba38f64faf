#include "profile/meter/figure_sum.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {

void FigureSum::add(const Figure& figure, std::size_t spans) {
  const Quality& quality = figure.quality;
  sum_.duration += figure.duration;
  spans_ += spans;
  if (!figure.total) {
    return;
  }
  sum_.total = sum_.total.value_or(Joules{0}) + *figure.total;
  // The coverage is the mean over the roots. So if one of several roots gives no windows, the power
  // is not total / covered time.
  const double covered_ns = quality.coverage * static_cast<double>(figure.duration.count());
  covered_ns_ += covered_ns;
  power_ns_ += figure.mean_power.value_or(Watts{0}).value() * covered_ns;
  windows_ += quality.resolution.value_or(0.0) * static_cast<double>(spans);
  if (quality.standard_error) {
    variance_ += std::pow(quality.standard_error->value(), 2.0);
  } else {
    error_known_ = false;
  }
  if (const auto scale = quality.sensor_uncertainty()) {
    scale_ += *scale;
  } else {
    scale_known_ = false;
  }
  if (quality.method) {
    sum_.quality.method = std::max(sum_.quality.method.value_or(*quality.method), *quality.method);
  }
  if (sum_.quality.sensor.empty()) {
    sum_.quality.sensor = quality.sensor;
  }
}

Figure FigureSum::build() const {
  Figure result = sum_;
  if (!result.total) {
    return result;
  }
  if (const auto duration = static_cast<double>(result.duration.count()); duration > 0.0) {
    result.quality.coverage = covered_ns_ / duration;
  }
  if (covered_ns_ > 0.0) {
    result.mean_power = Watts{power_ns_ / covered_ns_};
  }
  if (spans_ > 0) {
    result.quality.resolution = windows_ / static_cast<double>(spans_);
  }
  if (error_known_) {
    result.quality.standard_error = Joules{std::sqrt(variance_)};
    if (scale_known_) {
      result.quality.standard_uncertainty =
          Joules{std::sqrt(variance_ + std::pow(scale_.value(), 2.0))};
    }
  }
  return result;
}

}  // namespace enprof
