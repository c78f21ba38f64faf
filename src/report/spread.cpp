#include "report/spread.hpp"

#include "base/mean_interval.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

std::vector<double> known(std::span<const std::optional<double>> values) {
  std::vector<double> result;
  for (const std::optional<double>& value : values) {
    if (value) {
      result.push_back(*value);
    }
  }
  return result;
}

/// Of at least one value.
double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

}  // namespace

std::optional<Spread> spread_of(std::span<const std::optional<double>> values) {
  const std::vector<double> all = known(values);
  if (all.empty()) {
    return std::nullopt;
  }
  const auto [least, most] = std::ranges::minmax(all);
  const SampleMoments moments = sample_moments(all);
  return Spread{.count = all.size(),
                .mean = moments.mean,
                .least = least,
                .most = most,
                .standard_deviation = moments.deviation,
                .half_interval = mean_interval(all, kUsualConfidence).half};
}

std::vector<Outlier> outliers_of(std::span<const std::optional<double>> values) {
  constexpr std::size_t kFewest = 5;
  constexpr double kFar = 3.5;
  constexpr double kNormal = 0.6745;  // of a normal distribution: median distance / deviation
  constexpr double kAlike = 0.01;
  const std::vector<double> all = known(values);
  if (all.size() < kFewest) {
    return {};
  }
  const double middle = median(all);
  std::vector<double> distances;
  distances.reserve(all.size());
  for (const double value : all) {
    distances.push_back(std::abs(value - middle));
  }
  const double usual = median(distances);
  std::vector<Outlier> outliers;
  for (std::size_t index = 0; index < values.size(); ++index) {
    if (!values[index]) {
      continue;
    }
    const double distance = std::abs(*values[index] - middle);
    // Where more than half of the values are equal, every other one is infinitely far.
    if (kNormal * distance > kFar * usual && distance > kAlike * std::abs(middle)) {
      outliers.push_back({.index = index, .distance = usual > 0.0 ? distance / usual : HUGE_VAL});
    }
  }
  return outliers;
}

}  // namespace enprof
