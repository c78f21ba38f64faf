#include "experiment/experiment_runner.hpp"

#include "experiment/comparable.hpp"
#include "experiment/interval.hpp"
#include "experiment/measure.hpp"
#include "experiment/run_labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

constexpr int kWarmUpTokens = 4;

RunSession::Options session_options(const ExperimentRunner::Options& options) {
  return {.store = options.store,
          .power = options.power,
          .models = options.models,
          .profiler = options.profiler,
          .observer = options.session_observer};
}

RunSession::Options warming_options(const ExperimentRunner::Options& options) {
  ProfilerOptions profiler = options.profiler;
  profiler.procfs_root.clear();  // what disturbs it does not matter
  return {.models = options.models,
          .profiler = std::move(profiler),
          .observer = options.session_observer};
}

/// What is needed of many runs at once.
ProfiledRun without_lists(const ProfiledRun& run) {
  ProfiledRun result = run;
  result.tokens = {};
  result.layers = {};
  result.components = {};
  result.operations = {};
  result.operation_table = {};
  result.values = {};
  result.power.samples = {};
  result.power.readings = {};
  return result;
}

EngineSettings settings_of(const ExperimentPoint& point) {
  return {{"gpu_layers", point.gpu_layers}};
}

std::vector<double> comparable_values(const PointResult& result, const Measure& measure) {
  std::vector<double> values;
  for (const ProfiledRun& run : result.runs) {
    if (run.status == RunStatus::completed && refusal(measure.of_power, run) == nullptr) {
      if (const auto value = measure.of(run)) {
        values.push_back(*value);
      }
    }
  }
  return values;
}

}  // namespace

bool is_precise(const PointResult& result, double precision) {
  std::vector<double> values = comparable_values(result, *find_measure(kOutputTokenMeasure));
  if (values.empty()) {
    values = comparable_values(result, *find_measure(kDecodeSpeedMeasure));
  }
  if (values.size() < ExperimentRunner::kLeastPrecise) {
    return false;
  }
  const MeanInterval interval = mean_interval(values, kUsualConfidence);
  return interval.mean > 0.0 && interval.half && *interval.half / interval.mean <= precision;
}

ExperimentRunner::ExperimentRunner(Options options)
    : options_(std::move(options)),
      session_(session_options(options_)),
      warming_(warming_options(options_)) {
  if (options_.observer == nullptr) {
    options_.observer = &silent_;
  }
}

ExperimentOutcome ExperimentRunner::run(const ExperimentDesign& design,
                                        const std::stop_token& stop) {
  outcome_ = {};
  done_ = 0;
  for (ExperimentPoint& point : design.points()) {
    PointResult& result = outcome_.points.emplace_back(PointResult{.point = std::move(point)});
    for (const ProfiledRun& run : options_.earlier) {
      if (point_of(run) == result.point.label) {
        result.runs.push_back(without_lists(run));
      }
    }
  }
  const Instant begin = options_.clock->now();
  const auto goes_on = [&] {
    outcome_.interrupted = stop.stop_requested();
    outcome_.budget_spent = options_.budget && options_.clock->now() - begin >= *options_.budget;
    return !outcome_.interrupted && !outcome_.budget_spent;
  };
  for (int round = 1; round <= design.repeats; ++round) {
    bool is_first = true;
    for (const std::size_t index : order_of_round(design.seed, round, outcome_.points.size())) {
      PointResult& result = outcome_.points[index];
      if (design.precision && !result.is_precise) {
        result.is_precise = is_precise(result, *design.precision);
      }
      if (result.error || result.is_precise || is_done(result, round)) {
        continue;
      }
      if (!goes_on()) {
        return std::move(outcome_);
      }
      if (std::exchange(is_first, false) && options_.power != nullptr) {
        options_.power->require_new_baseline();
      }
      options_.observer->on_run(result.point, round, done_, done_ + runs_left(design));
      measure(design, result, round, stop);
      ++done_;
    }
  }
  outcome_.interrupted = stop.stop_requested();
  if (design.precision) {
    for (PointResult& result : outcome_.points) {
      result.is_precise = is_precise(result, *design.precision);
    }
  }
  return std::move(outcome_);
}

/// A round of a point is done if it has a completed run that need not be done again, or as many
/// runs as it may have.
bool ExperimentRunner::is_done(const PointResult& result, int round) const {
  int runs = 0;
  for (const ProfiledRun& run : result.runs) {
    if (run.status == RunStatus::completed && round_of(run) == round) {
      if (!is_worth_repeating(run)) {
        return true;
      }
      ++runs;
    }
  }
  return runs > kMostRedone;
}

std::size_t ExperimentRunner::runs_left(const ExperimentDesign& design) const {
  std::size_t left = 0;
  for (const PointResult& result : outcome_.points) {
    if (!result.error && !result.is_precise) {
      for (int round = 1; round <= design.repeats; ++round) {
        left += is_done(result, round) ? 0 : 1;
      }
    }
  }
  return left;
}

RunTask ExperimentRunner::task_of(const ExperimentDesign& design, const ExperimentPoint& point,
                                  int round) const {
  RunTask task{.model = point.model,
               .generate = {.prompt = fmt::format("{} synthetic tokens", point.prompt_tokens),
                            .synthetic_prompt = point.prompt_tokens,
                            .max_tokens = point.output_tokens,
                            .threads = point.threads,
                            .batch = point.batch,
                            .micro_batch = point.micro_batch,
                            .seed = design.seed,
                            .ignore_eos = true},
               .depth = options_.depth,
               .tags = options_.tags,
               .experiment = design.name};
  task.tags.push_back(make_tag(kPointTag, point.label));
  task.tags.push_back(make_tag(kRoundTag, fmt::format("{}", round)));
  if (round == 1) {  // so that an interrupted experiment can be resumed
    task.tags.push_back(make_tag(kDesignTag, design_to_json(design)));
  }
  return task;
}

void ExperimentRunner::give_up(PointResult& result, const Error& error) {
  result.error = error;
  options_.observer->on_failure(result.point, error);
}

/// Loads the model if it is not loaded, and runs a little, so that caches and clocks are as they
/// will be. False if that failed or a stop was requested.
bool ExperimentRunner::warm_up(const ExperimentDesign& design, PointResult& result,
                               const std::stop_token& stop) {
  const ExperimentPoint& point = result.point;
  std::string wanted = fmt::format("{}\n{}", point.model, point.gpu_layers);
  const bool is_loaded = loaded_ == wanted;
  if (is_loaded && std::ranges::find(warmed_, point.label) != warmed_.end()) {
    return true;
  }
  options_.models->use_settings(settings_of(point));
  RunTask task = task_of(design, point, 0);
  task.generate.max_tokens = std::min(point.output_tokens, kWarmUpTokens);
  task.experiment.clear();
  task.tags.clear();
  loaded_.clear();
  const RunOutcome warmed = warming_.perform(std::move(task), stop);
  if (warmed.error) {
    give_up(result, *warmed.error);
    return false;
  }
  if (stop.stop_requested()) {
    return false;
  }
  if (!is_loaded && options_.power != nullptr) {
    options_.power->require_new_baseline();  // with this model in memory
  }
  loaded_ = std::move(wanted);
  warmed_.push_back(point.label);
  return true;
}

void ExperimentRunner::measure(const ExperimentDesign& design, PointResult& result, int round,
                               const std::stop_token& stop) {
  while (!is_done(result, round)) {
    if (!warm_up(design, result, stop)) {
      return;
    }
    const RunOutcome outcome = session_.perform(task_of(design, result.point, round), stop);
    if (outcome.run != nullptr) {
      result.runs.push_back(without_lists(*outcome.run));
    }
    if (outcome.error) {
      give_up(result, *outcome.error);
      return;
    }
    if (outcome.run == nullptr || stop.stop_requested()) {
      return;
    }
    if (is_worth_repeating(result.runs.back()) && !is_done(result, round)) {
      options_.observer->on_redo(result.point, result.runs.back());
    }
  }
}

}  // namespace enprof
