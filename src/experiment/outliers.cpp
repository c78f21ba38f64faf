#include "experiment/outliers.hpp"

#include "experiment/comparable.hpp"
#include "experiment/measure.hpp"
#include "experiment/run_labels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

namespace enprof {
namespace {

constexpr double kSpreadOfNormal = 1.4826;
constexpr std::array kJudged{kDecodeSpeedMeasure, kPrefillSpeedMeasure, kOutputTokenMeasure,
                             kInputTokenMeasure};

bool is_judged(const ProfiledRun& run) {
  return run.status == RunStatus::completed && !is_worth_repeating(run);
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) {
    return *middle;
  }
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

/// From which distance to the middle a value is far.
struct Middle {
  double median = 0.0;
  double far = 0.0;

  explicit Middle(const std::vector<double>& values) : median(median_of(values)) {
    std::vector<double> distances;
    distances.reserve(values.size());
    for (const double value : values) {
      distances.push_back(std::abs(value - median));
    }
    far = std::max(kFarSpreads * kSpreadOfNormal * median_of(std::move(distances)),
                   kFarShare * std::abs(median));
  }
};

}  // namespace

std::vector<bool> find_outliers(std::span<const ProfiledRun> runs) {
  std::vector<bool> is_outlier(runs.size(), false);
  for (const std::string_view key : kJudged) {
    const Measure& measure = *find_measure(key);
    std::vector<double> values;
    std::vector<std::size_t> indices;
    for (std::size_t index = 0; index < runs.size(); ++index) {
      const auto value = is_judged(runs[index]) ? measure.of(runs[index]) : std::nullopt;
      if (value) {
        values.push_back(*value);
        indices.push_back(index);
      }
    }
    if (values.size() <= kLeastOthers) {
      continue;
    }
    const Middle middle(values);
    for (std::size_t index = 0; index < values.size(); ++index) {
      if (std::abs(values[index] - middle.median) > middle.far) {
        is_outlier[indices[index]] = true;
      }
    }
  }
  struct Round {
    std::size_t tries = 0;
    bool has_usual = false;
  };
  std::map<int, Round> rounds;
  for (std::size_t index = 0; index < runs.size(); ++index) {
    if (is_judged(runs[index])) {
      Round& round = rounds[round_of(runs[index]).value_or(0)];
      ++round.tries;
      round.has_usual = round.has_usual || !is_outlier[index];
    }
  }
  constexpr std::size_t kTries = 3;  // after which a round's outliers stand
  for (std::size_t index = 0; index < runs.size(); ++index) {
    const Round& round = rounds[round_of(runs[index]).value_or(0)];
    if (is_outlier[index] && !round.has_usual && round.tries >= kTries) {
      is_outlier[index] = false;
    }
  }
  return is_outlier;
}

std::vector<bool> find_counted(std::span<const ProfiledRun> runs) {
  std::vector<bool> counted = find_outliers(runs);
  for (std::size_t index = 0; index < runs.size(); ++index) {
    counted[index] = !counted[index] && is_judged(runs[index]);
  }
  return counted;
}

}  // namespace enprof
