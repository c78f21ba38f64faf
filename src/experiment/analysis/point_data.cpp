#include "experiment/analysis/point_data.hpp"

#include "base/counted.hpp"
#include "experiment/comparable.hpp"
#include "experiment/design.hpp"
#include "experiment/measure.hpp"
#include "experiment/point_quality.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kEstimate = "estimate";

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) {
      words.push_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

/// "t2", "ctk=q8_0", "ngl-1": letters, and a value.
bool is_setting(std::string_view word) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto* const value = std::ranges::find_if_not(word, is_letter);
  const auto letters = value - word.begin();
  if (letters == 0 || letters > 3 || value == word.end()) {
    return false;
  }
  return *value == '=' ||
         std::all_of(value, word.end(), [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
}

/// Where the settings of a label begin.
std::size_t begin_of_settings(const std::vector<std::string_view>& words) {
  std::size_t begin = words.size();
  while (begin > 1 && is_setting(words[begin - 1])) {
    --begin;
  }
  return begin;
}

MeasuredValue measured(const std::vector<double>& values,
                       const std::vector<std::optional<double>>& errors) {
  const SampleMoments moments = sample_moments(values);
  MeasuredValue result{.value = moments.mean,
                       .error = moments.standard_error(),
                       .freedom = static_cast<double>(values.size()) - 1.0,
                       .count = values.size()};
  if (!result.error) {
    result.freedom = std::numeric_limits<double>::infinity();
    return result;
  }
  double squares = 0.0;
  for (const std::optional<double>& error : errors) {
    squares += error.value_or(0.0) * error.value_or(0.0);
  }
  // A spread that is smaller than what the runs leave unknown is so by chance.
  const double own = std::sqrt(squares) / static_cast<double>(values.size());
  const double by_spread = coverage_factor(kUsualConfidence, result.freedom) * *result.error;
  const double infinite = std::numeric_limits<double>::infinity();
  if (coverage_factor(kUsualConfidence, infinite) * own > by_spread) {
    result.error = own;
    result.freedom = infinite;
  }
  return result;
}

bool is_used(bool of_power, const ProfiledRun& run) {
  return run.status == RunStatus::completed && refusal(of_power, run) == nullptr;
}

std::optional<MeasuredValue> mean_of(const std::vector<ProfiledRun>& runs, std::string_view key) {
  const Measure* const measure = find_measure(key);
  std::vector<double> values;
  std::vector<std::optional<double>> errors;
  for (const ProfiledRun& run : runs) {
    if (!is_used(measure->of_power, run)) {
      continue;
    }
    if (const auto value = measure->of(run); value && *value > 0.0) {
      values.push_back(*value);
      errors.push_back(measure->error != nullptr ? measure->error(run) : std::nullopt);
    }
  }
  return values.empty() ? std::nullopt : std::optional{measured(values, errors)};
}

UncertaintyBudget budget_of(const std::vector<ProfiledRun>& runs) {
  const Measure* const measure = find_measure(kOutputTokenMeasure);
  UncertaintyBudget budget;
  std::vector<double> values;
  double own = 0.0;
  bool is_own_known = true;
  bool is_scale_known = true;
  double scale = 0.0;
  for (const ProfiledRun& run : runs) {
    const auto value = measure->of(run);
    if (!is_used(true, run) || !value || *value <= 0.0) {
      continue;
    }
    values.push_back(*value);
    const auto error = measure->error(run);
    is_own_known = is_own_known && error;
    own += error.value_or(0.0) * error.value_or(0.0);
    const Figure& figure = run.totals.figure;
    const auto uncertainty = figure.quality.sensor_uncertainty();
    is_scale_known = is_scale_known && uncertainty && figure.total;
    if (is_scale_known && figure.total->value() > 0.0) {
      scale = std::max(scale, *uncertainty / *figure.total);
    }
  }
  if (values.empty()) {
    return budget;
  }
  const SampleMoments moments = sample_moments(values);
  if (const auto error = moments.standard_error()) {
    budget.spread = *error / moments.mean;
  }
  if (is_own_known) {
    budget.own = std::sqrt(own) / static_cast<double>(values.size()) / moments.mean;
  }
  if (is_scale_known) {
    budget.scale = scale;
  }
  return budget;
}

/// Joules of each component in the decode phase of a run; empty if one is not known.
std::optional<std::map<std::string, double>> component_sums(const ProfiledRun& run) {
  std::map<std::string, double> sums;
  for (const ComponentFigure& figure : run.components) {
    if (figure.phase != Phase::decode) {
      continue;
    }
    if (!figure.figure.total) {
      return std::nullopt;
    }
    sums[figure.component] += figure.figure.total->value();
  }
  return sums.empty() ? std::nullopt : std::optional{std::move(sums)};
}

std::vector<ComponentEnergy> components_of(const std::vector<ProfiledRun>& runs,
                                           std::size_t sequences) {
  struct Values {
    std::vector<double> energies{};
    std::vector<double> shares{};
  };
  std::map<std::string, Values> values;
  std::size_t count = 0;
  for (const ProfiledRun& run : runs) {
    if (!is_used(true, run) || run.totals.output_tokens <= sequences) {
      continue;
    }
    const auto sums = component_sums(run);
    if (!sums) {
      continue;
    }
    double whole = 0.0;
    for (const auto& [component, energy] : *sums) {
      whole += energy;
    }
    if (whole <= 0.0) {
      continue;
    }
    // The first token of each sequence belongs to the prefill.
    const auto tokens = static_cast<double>(run.totals.output_tokens - sequences);
    for (const auto& [component, energy] : *sums) {
      Values& of = values[component];
      // A component that earlier runs did not have drew nothing there.
      of.energies.resize(count, 0.0);
      of.shares.resize(count, 0.0);
      of.energies.push_back(energy / tokens);
      of.shares.push_back(energy / whole);
    }
    ++count;
  }
  std::vector<ComponentEnergy> result;
  for (auto& [component, of] : values) {
    of.energies.resize(count, 0.0);
    of.shares.resize(count, 0.0);
    result.push_back({.component = component,
                      .energy = measured(of.energies, {}),
                      .share = measured(of.shares, {})});
  }
  std::ranges::sort(result, std::ranges::greater{},
                    [](const ComponentEnergy& each) { return each.energy.value; });
  return result;
}

/// What the runs' tags say of the model's answers. A tag that was changed says nothing.
void read_quality(PointData& data) {
  const auto figure = [](const std::optional<double>& value, const std::optional<double>& error) {
    return value ? std::optional{QualityFigure{.value = *value, .error = error}} : std::nullopt;
  };
  for (const ProfiledRun& run : data.all_runs) {
    if (const auto quality = quality_of(run)) {
      data.perplexity = figure(quality->perplexity, quality->perplexity_error);
      data.kl_divergence = figure(quality->kl_divergence, quality->kl_divergence_error);
      return;
    }
  }
}

/// Removes what forbids to use an estimate. The rest of the verdict stays.
bool allow_estimate(ProfiledRun& run) {
  const bool was_estimate = std::erase_if(run.verdict_reasons, [](const VerdictReason& reason) {
                              return reason.code == kEstimate;
                            }) > 0;
  if (was_estimate) {
    run.verdict = VerdictLevel::quotable;
    for (const VerdictReason& reason : run.verdict_reasons) {
      run.verdict = std::max(*run.verdict, reason.level);
    }
  }
  return was_estimate;
}

std::string why_no_energy(const PointData& point) {
  if (point.runs == 0) {
    return "no run of it is completed";
  }
  for (const ProfiledRun& run : point.all_runs) {
    if (run.status != RunStatus::completed) {
      continue;
    }
    if (const VerdictReason* const reason = refusal(true, run)) {
      return reason->message;
    }
  }
  return "its runs have no energy per token";
}

PointData point_of_runs(PointRuns point) {
  PointData data{.label = std::move(point.point), .all_runs = std::move(point.runs)};
  std::optional<VerdictLevel> of_all;
  const ProfiledRun* example = nullptr;
  for (const ProfiledRun& run : data.all_runs) {
    if (run.status != RunStatus::completed) {
      continue;
    }
    example = example == nullptr ? &run : example;
    ++data.runs;
    const bool used = is_used(true, run);
    data.used += used ? 1 : 0;
    if (run.verdict) {
      of_all = std::max(of_all.value_or(*run.verdict), *run.verdict);
      if (used) {
        data.verdict = std::max(data.verdict.value_or(*run.verdict), *run.verdict);
      }
    }
  }
  data.verdict = data.used == 0 ? of_all : data.verdict;
  if (example == nullptr && !data.all_runs.empty()) {
    example = &data.all_runs.front();
  }
  if (example != nullptr) {
    data.model = example->model;
    data.prompt_tokens = example->totals.prompt_tokens;
    data.output_tokens = example->totals.output_tokens;
  }
  data.filled_tokens = label_setting(data.label, "d");
  data.parallel = label_setting(data.label, "np");
  data.micro_batch = label_setting(data.label, "ub");
  data.output_energy = mean_of(data.all_runs, kOutputTokenMeasure);
  data.input_energy = mean_of(data.all_runs, kInputTokenMeasure);
  data.output_speed = mean_of(data.all_runs, kDecodeSpeedMeasure);
  data.input_speed = mean_of(data.all_runs, kPrefillSpeedMeasure);
  data.first_token_s = mean_of(data.all_runs, kFirstTokenMeasure);
  data.mean_power_w = mean_of(data.all_runs, kMeanPowerMeasure);
  data.energy = mean_of(data.all_runs, "energy");
  data.budget = budget_of(data.all_runs);
  read_quality(data);
  data.components = components_of(data.all_runs, data.sequences());
  if (!data.output_energy && !data.input_energy) {
    data.no_energy = why_no_energy(data);
  }
  return data;
}

/// Puts the points into the order of the design, and says what is missing of it.
void compare_with_design(ExperimentData& data, const ExperimentDesign& design) {
  std::vector<PointData> ordered;
  std::vector<std::string> unfinished;
  for (const ExperimentPoint& point : design.points()) {
    const auto found = std::ranges::find(data.points, point.label, &PointData::label);
    if (found == data.points.end()) {
      data.missing.push_back(point.label);
      continue;
    }
    std::set<int> rounds;
    for (const ProfiledRun& run : found->all_runs) {
      if (const auto round = round_of(run); round && run.status == RunStatus::completed) {
        rounds.insert(*round);
      }
    }
    if (rounds.empty()) {
      data.missing.push_back(point.label);
    } else if (!design.precision && rounds.size() < static_cast<std::size_t>(design.repeats)) {
      unfinished.push_back(point.label);
    }
    ordered.push_back(std::move(*found));
    data.points.erase(found);
  }
  std::ranges::move(data.points, std::back_inserter(ordered));
  data.points = std::move(ordered);
  if (!unfinished.empty()) {
    data.notes.push_back(
        fmt::format("The experiment is not finished: {} {} fewer than {}. To go on: enprof bench "
                    "--resume {}",
                    counted(unfinished.size(), "point"), unfinished.size() == 1 ? "has" : "have",
                    counted(design.repeats, "round"), data.name));
  }
}

}  // namespace

std::optional<double> MeasuredValue::half(double confidence) const {
  return error ? std::optional{coverage_factor(confidence, freedom) * *error} : std::nullopt;
}

std::optional<double> UncertaintyBudget::combined() const {
  if (!scale || (!spread && !own)) {
    return std::nullopt;
  }
  return std::hypot(*scale, std::max(spread.value_or(0.0), own.value_or(0.0)));
}

std::string PointData::model_name() const {
  return model.quantization.empty() ? model.name
                                    : fmt::format("{} {}", model.name, model.quantization);
}

std::string PointData::settings() const {
  const std::vector<std::string_view> words = words_of(label);
  const std::size_t begin = begin_of_settings(words);
  return fmt::format(
      "{}", fmt::join(words.begin() + static_cast<std::ptrdiff_t>(begin), words.end(), " "));
}

std::size_t PointData::sequences() const {
  return static_cast<std::size_t>(std::max(parallel.value_or(1), 1));
}

double PointData::decode_context() const {
  const auto of_each = [&](std::size_t tokens) {
    return static_cast<double>(tokens) / static_cast<double>(sequences());
  };
  return static_cast<double>(filled_tokens.value_or(0)) + of_each(prompt_tokens) +
         0.5 * of_each(output_tokens);
}

RunSet PointData::run_set() const { return {.name = label, .runs = all_runs}; }

std::size_t ExperimentData::points_with_energy() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      points, [](const PointData& point) { return point.output_energy.has_value(); }));
}

std::optional<int> label_setting(std::string_view label, std::string_view name) {
  const std::vector<std::string_view> words = words_of(label);
  for (std::size_t index = begin_of_settings(words); index < words.size(); ++index) {
    const std::string_view word = words[index];
    int value = 0;
    if (word.starts_with(name)) {
      const char* const begin = word.data() + name.size();
      const char* const end = word.data() + word.size();
      const auto [stop, error] = std::from_chars(begin, end, value);
      if (error == std::errc{} && stop == end) {
        return value;
      }
    }
  }
  return std::nullopt;
}

ExperimentData experiment_data(std::string name, std::vector<ProfiledRun> runs,
                               const DataOptions& options) {
  ExperimentData data{.name = std::move(name)};
  std::set<std::string> machines;
  std::set<std::string> sensors;
  std::set<std::string> engines;
  std::optional<ExperimentDesign> design;
  for (ProfiledRun& run : runs) {
    if (options.estimates && allow_estimate(run)) {
      data.has_estimates = true;
    }
    data.first = std::min(data.first.value_or(run.started_at), run.started_at);
    data.last = std::max(data.last.value_or(run.started_at), run.started_at);
    if (auto machine = tag_value(run.tags, kMachineTag)) {
      machines.insert(*std::move(machine));
    }
    if (!run.totals.figure.quality.sensor.empty()) {
      sensors.insert(run.totals.figure.quality.sensor);
    }
    if (!run.model.engine.empty()) {
      engines.insert(run.model.engine);
    }
    if (const auto text = tag_value(run.tags, kDesignTag); text && !design) {
      if (auto read = design_from_json(*text)) {
        design = *std::move(read);
      } else {
        data.notes.push_back(
            fmt::format("Which points are missing is not known. {}", read.error().message));
      }
    }
  }
  data.machines.assign(machines.begin(), machines.end());
  data.sensors.assign(sensors.begin(), sensors.end());
  data.engines.assign(engines.begin(), engines.end());
  for (PointRuns& point : by_point(std::move(runs))) {
    data.points.push_back(point_of_runs(std::move(point)));
  }
  if (design) {
    compare_with_design(data, *design);
  }
  // Components are in the means now; in the runs they would be most of the memory.
  for (PointData& point : data.points) {
    for (ProfiledRun& run : point.all_runs) {
      run.layers = {};
      run.components = {};
    }
  }
  return data;
}

}  // namespace enprof
