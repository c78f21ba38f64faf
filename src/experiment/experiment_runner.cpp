#include "experiment/experiment_runner.hpp"

#include "experiment/measure.hpp"
#include "experiment/outliers.hpp"
#include "experiment/point_summary.hpp"
#include "experiment/run_labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace enprof {
namespace {

constexpr int kWarmUpTokens = 4;

RunSession::Options session_options(const ExperimentRunner::Options& options,
                                    SessionObserver& timer) {
  return {.store = options.store,
          .power = options.power,
          .models = options.models,
          .profiler = options.profiler,
          .observer = &timer};
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

ExperimentRunner::Limits limits_of(const ExperimentPoint& point) {
  return {.cpu_power = point.cpu_power_limit,
          .gpu_power = point.gpu_power_limit,
          .cpu_frequency = point.cpu_frequency};
}

/// The engine's name of a value that the point chooses by a word; empty: the engine's choice.
std::string word_of(const ExperimentPoint& point, std::string_view key) {
  const Axis& axis = *find_axis(key);
  const int value = point.*axis.value;
  return value == axis.usual ? std::string{} : axis.text_of(value);
}

GenerateOptions options_of(const ExperimentPoint& point, std::uint32_t seed) {
  const std::string flash = word_of(point, "flash_attention");
  return {.prompt = fmt::format("{} synthetic tokens", point.prompt_tokens),
          .synthetic_prompt = point.prompt_tokens,
          .max_tokens = point.output_tokens,
          .threads = point.threads,
          .batch = point.batch,
          .micro_batch = point.micro_batch,
          .filled_context = point.filled_tokens,
          .sequences = point.parallel,
          .cache_type_k = word_of(point, "cache_type_k"),
          .cache_type_v = word_of(point, "cache_type_v"),
          .flash_attention = flash.empty() ? std::nullopt : std::optional{flash == "on"},
          .seed = seed,
          .ignore_eos = true};
}

bool is_steady(const std::optional<double>& before, const std::optional<double>& now) {
  return !before || !now || std::abs(*now - *before) <= ExperimentRunner::kStandsStill * *before;
}

}  // namespace

bool is_precise(const PointResult& result, double precision) {
  const PointSummary summary = summary_of(result);
  const auto& energy = summary.mean(kOutputTokenMeasure);
  const auto& mean = energy ? energy : summary.mean(kDecodeSpeedMeasure);
  return mean && mean->count >= ExperimentRunner::kLeastPrecise && mean->mean > 0.0 &&
         mean->half_without_scale && *mean->half_without_scale / mean->mean <= precision;
}

ExperimentRunner::ExperimentRunner(Options options)
    : options_(std::move(options)),
      timer_(options_),
      session_(session_options(options_, timer_)),
      warming_(warming_options(options_)) {
  if (options_.observer == nullptr) {
    options_.observer = &silent_;
  }
}

void ExperimentRunner::add_point(ExperimentPoint point) {
  PointResult& result = outcome_.points.emplace_back(PointResult{.point = std::move(point)});
  for (const ProfiledRun& run : options_.earlier) {
    if (point_of(run) == result.point.label) {
      result.runs.push_back(without_lists(run));
    }
  }
  if (const auto quality = options_.qualities.find(result.point.model);
      quality != options_.qualities.end() && quality->second) {
    result.quality = *quality->second;
  } else if (!result.runs.empty()) {
    result.quality = quality_of(result.runs.front());
  }
  if (auto reason = contradiction(result.point)) {
    give_up(result, {ErrorCode::invalid_argument, *std::move(reason), "Leave this point out."});
    return;
  }
  const auto prompt = options_.prompts.find(result.point.prompt_file);
  if (prompt != options_.prompts.end() && !prompt->second) {
    give_up(result, prompt->second.error());
  }
}

ExperimentOutcome ExperimentRunner::run(const ExperimentDesign& design,
                                        const std::stop_token& stop) {
  outcome_ = {};
  done_ = 0;
  for (ExperimentPoint& point : design.points()) {
    add_point(std::move(point));
  }
  const Instant begin = options_.clock->now();
  const auto goes_on = [&] {
    outcome_.times.all = options_.clock->now() - begin;
    outcome_.interrupted = stop.stop_requested();
    outcome_.budget_spent = options_.budget && options_.clock->now() - begin >= *options_.budget;
    return !outcome_.interrupted && !outcome_.budget_spent;
  };
  // What showed itself as an outlier only by later rounds is done again after the last.
  constexpr int kPasses = 2;
  for (int number = 0; number < kPasses * design.repeats; ++number) {
    const int round = 1 + number % design.repeats;
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
  static_cast<void>(goes_on());
  outcome_.budget_spent = false;  // it was enough
  if (design.precision) {
    for (PointResult& result : outcome_.points) {
      result.is_precise = is_precise(result, *design.precision);
    }
  }
  return std::move(outcome_);
}

/// A round of a point is done if it has a completed run that need not be done again, or as many
/// runs as it may have.
std::set<int> ExperimentRunner::rounds_done(const PointResult& result) const {
  const std::vector<bool> counted = find_counted(result.runs);
  std::map<int, int> runs;
  std::set<int> done;
  for (std::size_t index = 0; index < result.runs.size(); ++index) {
    const ProfiledRun& run = result.runs[index];
    const auto round = round_of(run);
    if (run.status == RunStatus::completed && round &&
        (counted[index] || ++runs[*round] > kMostRedone)) {
      done.insert(*round);
    }
  }
  return done;
}

bool ExperimentRunner::is_done(const PointResult& result, int round) const {
  return rounds_done(result).contains(round);
}

std::size_t ExperimentRunner::runs_left(const ExperimentDesign& design) const {
  std::size_t left = 0;
  for (const PointResult& result : outcome_.points) {
    if (!result.error && !result.is_precise) {
      const std::set<int> done = rounds_done(result);
      const auto count = std::ranges::count_if(
          done, [&](int round) { return round >= 1 && round <= design.repeats; });
      left += static_cast<std::size_t>(design.repeats) - static_cast<std::size_t>(count);
    }
  }
  return left;
}

RunTask ExperimentRunner::task_of(const ExperimentDesign& design, const ExperimentPoint& point,
                                  int round) const {
  RunTask task{.model = point.model,
               .generate = options_of(point, design.seed),
               .depth = options_.depth,
               .tags = options_.tags,
               .experiment = design.name};
  if (const auto prompt = options_.prompts.find(point.prompt_file);
      prompt != options_.prompts.end() && prompt->second) {
    task.generate.prompt = *prompt->second;
    task.generate.synthetic_prompt = 0;
  }
  task.tags.push_back(make_tag(kPointTag, point.label));
  task.tags.push_back(make_tag(kRoundTag, fmt::format("{}", round)));
  if (const auto quality = options_.qualities.find(point.model);
      quality != options_.qualities.end() && quality->second) {
    task.tags.push_back(make_tag(kQualityTag, quality_to_json(*quality->second)));
  }
  if (round == 1) {  // so that an interrupted experiment can be resumed
    task.tags.push_back(make_tag(kDesignTag, design_to_json(design)));
  }
  return task;
}

void ExperimentRunner::Timer::on_loading(const RunTask& task, double share) {
  if (next_ != nullptr) {
    next_->on_loading(task, share);
  }
}

void ExperimentRunner::Timer::on_load_end(const RunTask& task, const Result<void>& loaded) {
  if (next_ != nullptr) {
    next_->on_load_end(task, loaded);
  }
}

void ExperimentRunner::Timer::on_begin(const RunTask& task, std::size_t most_output_tokens,
                                       InferencePipelineProfiler& profiler, PowerMonitor* power) {
  begun_ = clock_.now();
  if (next_ != nullptr) {
    next_->on_begin(task, most_output_tokens, profiler, power);
  }
}

void ExperimentRunner::Timer::on_trouble(const RunTask& task, const Warning& warning) {
  if (next_ != nullptr) {
    next_->on_trouble(task, warning);
  }
}

RunOutcome ExperimentRunner::perform(RunTask task, bool is_kept, const std::stop_token& stop) {
  if (options_.perform) {
    return options_.perform(std::move(task), is_kept, stop);
  }
  const Instant begin = options_.clock->now();
  if (!is_kept) {
    RunOutcome outcome = warming_.perform(std::move(task), stop);
    outcome_.times.warm_ups += options_.clock->now() - begin;
    return outcome;
  }
  RunOutcome outcome = session_.perform(std::move(task), stop);
  if (outcome.has_begun && outcome.run != nullptr) {
    outcome_.times.preparation += timer_.begun() - begin;
    outcome_.times.runs += outcome.run->totals.figure.duration;
  }
  return outcome;
}

void ExperimentRunner::give_up(PointResult& result, const Error& error) {
  result.error = error;
  options_.observer->on_failure(result.point, error);
}

/// False if the machine cannot be set as the point wants it.
bool ExperimentRunner::set_limits(PointResult& result) {
  const Limits wanted = limits_of(result.point);
  if (wanted == limits_) {
    return true;
  }
  const Result<void> set = options_.set_limits ? options_.set_limits(wanted)
                                               : fail(ErrorCode::unsupported,
                                                      "This machine has no limits that can be set");
  if (!set) {
    if (set.error().code != ErrorCode::invalid_argument) {
      limits_ = {};  // whatever was changed is as it was found
    }
    give_up(result, set.error());
    return false;
  }
  limits_ = wanted;
  warmed_.clear();
  if (options_.power != nullptr) {
    options_.power->require_new_baseline();
  }
  return true;
}

/// Runs a little, until caches, clocks and temperatures are as they will be. False if that failed
/// or a stop was requested.
bool ExperimentRunner::run_until_steady(const ExperimentDesign& design, PointResult& result,
                                        const std::stop_token& stop) {
  const Instant begin = options_.clock->now();
  std::optional<double> speed;
  std::optional<double> power;
  for (int count = 0; count < kMostWarmUps; ++count) {
    RunTask task = task_of(design, result.point, 0);
    task.generate.max_tokens = std::min(result.point.output_tokens, kWarmUpTokens);
    task.experiment.clear();
    task.tags.clear();
    PowerMonitor* const monitor = options_.power != nullptr ? options_.power->monitor() : nullptr;
    const Instant started = options_.clock->now();
    const Joules before = monitor != nullptr ? monitor->now().energy_since_start : Joules{0.0};
    const RunOutcome warmed = perform(std::move(task), false, stop);
    if (warmed.error) {
      give_up(result, *warmed.error);
      return false;
    }
    if (stop.stop_requested()) {
      return false;
    }
    const Instant ended = options_.clock->now();
    const auto new_speed = warmed.run != nullptr ? warmed.run->totals.prefill_tokens_per_second
                                                 : std::optional<double>{};
    std::optional<double> new_power;
    if (monitor != nullptr && ended > started) {
      const Joules used = monitor->now().energy_since_start - before;
      new_power = used.value() > 0.0 ? std::optional{used.value() / seconds(ended - started)}
                                     : std::nullopt;
    }
    const bool stands_still =
        count > 0 && is_steady(speed, new_speed) && is_steady(power, new_power);
    if (stands_still || ended - begin >= kLongestWarmUp) {
      return true;
    }
    speed = new_speed;
    power = new_power;
  }
  return true;
}

/// Loads the model if it is not loaded, sets the machine's limits, and warms up. False if that
/// failed or a stop was requested.
bool ExperimentRunner::warm_up(const ExperimentDesign& design, PointResult& result,
                               const std::stop_token& stop) {
  const ExperimentPoint& point = result.point;
  if (!set_limits(result)) {
    return false;
  }
  std::string wanted = fmt::format("{}\n{}", point.model, point.gpu_layers);
  const bool is_loaded = loaded_ == wanted;
  if (is_loaded && std::ranges::find(warmed_, point.label) != warmed_.end()) {
    return true;
  }
  if (options_.models != nullptr) {
    options_.models->use_settings(settings_of(point));
  }
  loaded_.clear();
  if (!run_until_steady(design, result, stop)) {
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
    const RunOutcome outcome = perform(task_of(design, result.point, round), true, stop);
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
    if (!find_counted(result.runs).back() && !is_done(result, round)) {
      options_.observer->on_redo(result.point, result.runs.back());
    }
  }
}

}  // namespace enprof
