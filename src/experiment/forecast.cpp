#include "experiment/forecast.hpp"

#include "experiment/interval.hpp"
#include "experiment/outliers.hpp"
#include "experiment/point_summary.hpp"
#include "experiment/run_labels.hpp"

#include <boost/math/distributions/non_central_t.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numbers>
#include <string>
#include <utility>

namespace enprof {
namespace {

bool is_of_model(const ProfiledRun& run, const std::string& model) {
  return std::filesystem::path{run.model.path}.filename() ==
         std::filesystem::path{model}.filename();
}

/// The squared relative standard deviation of one measure over runs of a point.
std::optional<double> squared_spread(const std::vector<ProfiledRun>& runs) {
  const std::vector<bool> counted = find_counted(runs);
  for (const std::string_view key : {kOutputTokenMeasure, kDecodeSpeedMeasure}) {
    const Measure& measure = *find_measure(key);
    double sum = 0.0;
    double squares = 0.0;
    double count = 0.0;
    for (std::size_t index = 0; index < runs.size(); ++index) {
      if (const auto value = counted[index] ? measure.of(runs[index]) : std::nullopt) {
        sum += *value;
        squares += *value * *value;
        count += 1.0;
      }
    }
    const double mean = count > 0.0 ? sum / count : 0.0;
    if (count >= static_cast<double>(kLeastOfPoint) && mean > 0.0) {
      return std::max(squares - count * mean * mean, 0.0) / (count - 1.0) / (mean * mean);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> forecast_time(const ExperimentPoint& point,
                                    const std::vector<ProfiledRun>& history) {
  std::optional<double> time;
  for (const ProfiledRun& run : history) {
    const Totals& totals = run.totals;
    if (run.status != RunStatus::completed || !is_of_model(run, point.model) ||
        !totals.prefill_tokens_per_second || !totals.decode_tokens_per_second) {
      continue;
    }
    const bool is_alike = point.threads == 0 || run.model.threads == point.threads;
    if (is_alike || !time) {
      // Speeds are of all sequences together; more of them take longer, to an unknown degree.
      const double sequences = point.parallel;
      time = sequences * point.prompt_tokens / *totals.prefill_tokens_per_second +
             (point.output_tokens - 1) / *totals.decode_tokens_per_second;
    }
    if (is_alike) {
      break;
    }
  }
  return time;
}

std::optional<double> forecast_spread(const std::vector<std::string>& models,
                                      const std::vector<ProfiledRun>& history) {
  std::map<std::pair<std::string, std::string>, std::vector<ProfiledRun>> points;
  for (const ProfiledRun& run : history) {
    const bool is_wanted = std::ranges::any_of(
        models, [&](const std::string& model) { return is_of_model(run, model); });
    if (is_wanted && round_of(run)) {
      points[{run.experiment, point_of(run)}].push_back(run);
    }
  }
  double sum = 0.0;
  double count = 0.0;
  for (const auto& [point, runs] : points) {
    if (const auto square = squared_spread(runs)) {
      sum += *square;
      count += 1.0;
    }
  }
  return count > 0.0 ? std::optional{std::sqrt(sum / count)} : std::nullopt;
}

double detection_power(double spread, int repeats, double difference) {
  if (repeats < 2) {
    return 0.0;
  }
  if (spread <= 0.0) {
    return difference == 0.0 ? 1.0 - kUsualConfidence : 1.0;
  }
  const double freedom = repeats - 1;
  const double shift = std::abs(difference) * std::sqrt(static_cast<double>(repeats)) /
                       (std::numbers::sqrt2 * spread);
  constexpr double kSurelyFound = 35.0;  // beyond it the distribution's series are slow
  if (shift > kSurelyFound) {
    return 1.0;
  }
  const double limit = coverage_factor(kUsualConfidence, freedom);
  const boost::math::non_central_t statistic(freedom, shift);
  return boost::math::cdf(boost::math::complement(statistic, limit)) +
         boost::math::cdf(statistic, -limit);
}

std::optional<double> smallest_difference(double spread, int repeats, double power) {
  if (repeats < 2) {
    return std::nullopt;
  }
  double low = 0.0;
  double high = std::max(spread, 1e-6);
  while (detection_power(spread, repeats, high) < power && high < 1e6) {
    low = high;
    high *= 2.0;
  }
  constexpr int kSteps = 40;
  for (int step = 0; step < kSteps; ++step) {
    const double middle = 0.5 * (low + high);
    (detection_power(spread, repeats, middle) < power ? low : high) = middle;
  }
  return high;
}

}  // namespace enprof
