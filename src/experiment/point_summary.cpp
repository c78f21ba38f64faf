#include "experiment/point_summary.hpp"

#include "experiment/comparable.hpp"
#include "experiment/interval.hpp"
#include "experiment/outliers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kEstimate = "estimate";
constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// Whether the measure of a run may be shown: nothing stands against it, or only that it is an
/// estimate, which the table marks.
bool may_be_shown(bool of_power, const ProfiledRun& run) {
  return std::ranges::all_of(run.verdict_reasons, [&](const VerdictReason& reason) {
    const auto about_energy = reasons_about_energy();
    return reason.level != VerdictLevel::not_comparable || reason.code == kEstimate ||
           (!of_power && std::ranges::find(about_energy, reason.code) != about_energy.end());
  });
}

/// The relative standard uncertainty of the sensors' scale, as the run has it; 0 if it is unknown.
double scale_uncertainty(const ProfiledRun& run) {
  const Figure& figure = run.totals.figure;
  const auto uncertainty = figure.quality.sensor_uncertainty();
  return uncertainty && figure.total && figure.total->value() > 0.0
             ? uncertainty->value() / figure.total->value()
             : 0.0;
}

std::optional<PointMean> mean_of_measure(const std::vector<const ProfiledRun*>& runs,
                                         const Measure& measure) {
  std::vector<double> values;
  std::vector<double> errors;
  double scale = 0.0;
  bool is_estimate = false;
  for (const ProfiledRun* const run : runs) {
    const auto value =
        may_be_shown(measure.of_power, *run) ? measure.of(*run) : std::optional<double>{};
    if (!value) {
      continue;
    }
    values.push_back(*value);
    errors.push_back(measure.error != nullptr ? measure.error(*run).value_or(0.0) : 0.0);
    if (measure.of_power) {
      scale = std::max(scale, scale_uncertainty(*run));
      is_estimate = is_estimate || refusal(true, *run) != nullptr;
    }
  }
  if (values.empty()) {
    return std::nullopt;
  }
  PointMean mean = mean_of_runs(values, errors, scale);
  mean.is_estimate = is_estimate;
  return mean;
}

}  // namespace

PointMean mean_of_runs(const std::vector<double>& values, const std::vector<double>& errors,
                       double scale_uncertainty) {
  const auto count = static_cast<double>(values.size());
  PointMean result{.mean = std::accumulate(values.begin(), values.end(), 0.0) / count,
                   .count = values.size()};
  if (values.size() < 2) {
    return result;
  }
  double squares = 0.0;
  for (const double value : values) {
    squares += (value - result.mean) * (value - result.mean);
  }
  double known = 0.0;
  for (const double error : errors) {
    known += error * error;
  }
  const double runs_freedom = count - 1.0;
  const double spread_square = squares / runs_freedom / count;
  const double known_square = known / (count * count);
  // Where the runs differ by less than each is uncertain, chance made the spread small.
  const bool is_known = coverage_factor(kUsualConfidence, kInfinite) * std::sqrt(known_square) >
                        coverage_factor(kUsualConfidence, runs_freedom) * std::sqrt(spread_square);
  const double freedom = is_known ? kInfinite : runs_freedom;
  const double repeat_square = is_known ? known_square : spread_square;
  result.half_without_scale = coverage_factor(kUsualConfidence, freedom) * std::sqrt(repeat_square);
  const double scale = scale_uncertainty * result.mean;
  const double square = repeat_square + scale * scale;
  const double effective =
      repeat_square > 0.0 ? freedom * square * square / (repeat_square * repeat_square) : kInfinite;
  result.half = coverage_factor(kUsualConfidence, effective) * std::sqrt(square);
  return result;
}

const std::optional<PointMean>& PointSummary::mean(std::string_view measure) const {
  const Measure* const found = find_measure(measure);
  return means[static_cast<std::size_t>(found - measures().data())];
}

bool PointSummary::has_figures() const {
  return std::ranges::any_of(means, [](const auto& mean) { return mean.has_value(); });
}

PointSummary summary_of(const PointResult& result) {
  PointSummary summary{.result = &result};
  const std::vector<bool> counted = find_counted(result.runs);
  const std::vector<bool> is_outlier = find_outliers(result.runs);
  std::vector<const ProfiledRun*> used;
  std::optional<VerdictLevel> of_all;
  for (std::size_t index = 0; index < result.runs.size(); ++index) {
    const ProfiledRun& run = result.runs[index];
    if (run.status != RunStatus::completed) {
      continue;
    }
    summary.example = summary.example == nullptr ? &run : summary.example;
    ++summary.runs;
    summary.disturbed += is_worth_repeating(run) ? 1 : 0;
    summary.outliers += is_outlier[index] ? 1 : 0;
    const bool is_used = counted[index] && may_be_shown(true, run);
    if (counted[index]) {
      used.push_back(&run);
    }
    summary.used += is_used ? 1 : 0;
    if (run.verdict) {
      of_all = std::max(of_all.value_or(*run.verdict), *run.verdict);
      if (is_used) {
        summary.verdict = std::max(summary.verdict.value_or(*run.verdict), *run.verdict);
      }
    }
    for (const VerdictReason& reason : run.verdict_reasons) {
      if (std::ranges::find(summary.reasons, reason.code, &VerdictReason::code) ==
          summary.reasons.end()) {
        summary.reasons.push_back(reason);
      }
    }
  }
  summary.verdict = summary.used == 0 ? of_all : summary.verdict;
  for (const Measure& measure : measures()) {
    summary.means.push_back(mean_of_measure(used, measure));
  }
  return summary;
}

}  // namespace enprof
