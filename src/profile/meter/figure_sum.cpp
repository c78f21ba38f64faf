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
  // Where one of several roots is silent, total / covered time is not the power: the coverage is
  // the mean over the roots.
  const double covered_ns = quality.coverage * static_cast<double>(figure.duration.count());
  covered_ns_ += covered_ns;
  power_ns_ += figure.mean_power.value_or(Watts{0}).value() * covered_ns;
  windows_ += quality.resolution.value_or(0.0) * static_cast<double>(spans);
  if (quality.standard_error) {
    variance_ += std::pow(quality.standard_error->value(), 2.0);
  } else {
    error_known_ = false;
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
  }
  return result;
}

}  // namespace enprof
