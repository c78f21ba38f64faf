#include "cli/bench_command.hpp"

#include "base/counted.hpp"
#include "base/cpu_identity.hpp"
#include "base/printable.hpp"
#include "base/program_path.hpp"
#include "base/shell_quote.hpp"
#include "cli/console.hpp"
#include "cli/idle_baseline.hpp"
#include "cli/interrupt.hpp"
#include "cli/model_file.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/prompt_text.hpp"
#include "cli/stored_run.hpp"
#include "cli/unsaved_run.hpp"
#include "engines/registry/engine_registry.hpp"
#include "experiment/comparable.hpp"
#include "experiment/experiment_rows.hpp"
#include "experiment/experiment_table.hpp"
#include "experiment/forecast.hpp"
#include "experiment/point_summary.hpp"
#include "experiment/quality_judge.hpp"
#include "experiment/run_labels.hpp"
#include "limits/power_limits.hpp"
#include "power/power_sources.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

/// Shows on stderr how an experiment comes along.
class BenchProgress final : public ExperimentObserver, public SessionObserver {
 public:
  void on_run(const ExperimentPoint& point, int round, std::size_t done, std::size_t all) override {
    status_.show(fmt::format("Run {} of at most {} · round {} · {}", done + 1, all, round,
                             printable(point.label)));
  }
  void on_redo(const ExperimentPoint& point, const ProfiledRun& run) override {
    note(fmt::format("{}: run {} is done again: it {}", printable(point.label),
                     run.run_id.substr(0, 8), why_repeated(run)));
  }
  void on_failure(const ExperimentPoint& point, const Error& error) override {
    note(fmt::format("{} is left out: {}{}{}", printable(point.label), error.message,
                     error.hint.empty() ? "" : "\n  ", error.hint));
  }
  void on_trouble(const RunTask& /*task*/, const Warning& warning) override {
    print_note(warning.message + (warning.hint.empty() ? "" : "\n  " + warning.hint));
  }
  void clear() noexcept { status_.clear(); }

 private:
  void note(const std::string& text) {
    status_.clear();
    print_note(text);
  }

  StatusLine status_;
};

/// What this machine is, for comparisons; the same text on the same machine, also where this
/// program may use only a part of its CPUs.
std::string machine_name(const std::filesystem::path& procfs_root) {
  const CpuIdentity cpu = read_cpu_identity(procfs_root);
  return fmt::format("{}, {}{}", cpu.name.empty() ? "unknown CPU" : cpu.name,
                     counted(sysconf(_SC_NPROCESSORS_CONF), "CPU"),
                     cpu.is_virtual ? ", virtual" : "");
}

Economics economics_of(const BenchRequest& request) {
  Economics economics;
  economics.price_usd_per_kwh = request.price_usd_per_kwh.value_or(economics.price_usd_per_kwh);
  return economics;
}

/// Where the qualities of models are kept; empty if there is no home.
std::filesystem::path quality_cache() {
  if (const auto cache = environment_variable("XDG_CACHE_HOME")) {
    return std::filesystem::path{*cache} / "enprof" / "quality";
  }
  const auto home = environment_variable("HOME");
  return home ? std::filesystem::path{*home} / ".cache" / "enprof" / "quality"
              : std::filesystem::path{};
}

PowerLimitValues values_of(const ExperimentRunner::Limits& limits) {
  return {.cpu_power_w = limits.cpu_power,
          .gpu_power_w = limits.gpu_power,
          .cpu_frequency_mhz = limits.cpu_frequency};
}

/// What will be set at some time; empty if no point wants a limit.
std::vector<PowerLimitValues> limits_of(const ExperimentDesign& design) {
  std::vector<PowerLimitValues> all;
  for (const ExperimentPoint& point : design.points()) {
    const PowerLimitValues values{.cpu_power_w = point.cpu_power_limit,
                                  .gpu_power_w = point.gpu_power_limit,
                                  .cpu_frequency_mhz = point.cpu_frequency};
    if (values != PowerLimitValues{} && std::ranges::find(all, values) == all.end()) {
      all.push_back(values);
    }
  }
  return all;
}

/// The texts of the prompt files. One that cannot be read costs its points alone.
std::map<std::string, Result<std::string>, std::less<>> read_prompts(
    const ExperimentDesign& design) {
  std::map<std::string, Result<std::string>, std::less<>> prompts;
  for (const PointBlock& block : design.blocks) {
    for (const std::string& file : block.prompt_files) {
      if (!prompts.contains(file)) {
        auto bytes = read_prompt_file(file);
        prompts.emplace(file, bytes ? prompt_text(*bytes, {.is_argument = false, .file = file})
                                    : std::unexpected(bytes.error()));
      }
    }
  }
  return prompts;
}

/// How large a difference between points will be found, for people.
std::string what_it_can_find(const ExperimentDesign& design,
                             const std::vector<ProfiledRun>& history) {
  constexpr double kPower = 0.8;
  constexpr double kAskedFor = 0.02;
  const auto known = forecast_spread(design.models(), history);
  const double spread = known.value_or(kAssumedSpread);
  const auto smallest = smallest_difference(spread, design.repeats, kPower);
  if (!smallest) {
    return "One run of each point shows no difference: pass -r 2 or more.";
  }
  return fmt::format(
      "Runs of a point differ by {:.2g} % ({}). Then a difference of {:.2g} % between two points "
      "is "
      "found with a probability of 80 %, and one of 2 % with {:.0f} %.",
      100.0 * spread, known ? "as in earlier experiments" : "assumed: there are no earlier runs",
      100.0 * *smallest, 100.0 * detection_power(spread, design.repeats, kAskedFor));
}

}  // namespace

void BenchCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("bench",
                                "Measure models and settings against each other, in repeated runs");
  points_.declare(*app_);
  declare_power(*app_);
  declare_result(*app_);
  database_option_.declare(*app_);
  app_->footer(
      "Lists: 1,2,4 or 1-4 or 8-32+8 or 1-8*2. Each combination is a point; in each round each "
      "point is measured once, in random order.\n"
      "Exit codes: 0 done, 1 failed: no point has a figure, 2 usage, 3 done but a point is missing "
      "or a run is not saved, 130 cancelled by Ctrl-C.\n"
      "Examples:\n"
      "  enprof bench -m a-q8.gguf,a-q4.gguf -r 10             two quantizations\n"
      "  enprof bench -m a.gguf -t 1,2,4 -p 128,512 -n 64      threads and prompts\n"
      "  enprof bench -m a.gguf -r 30 --precision 1% -o csv    until it is known to 1 %\n"
      "  enprof bench plan.toml --dry-run                      what a plan will take, and find\n"
      "  enprof compare --experiment NAME q8 q4                what may be said of it\n");
}

void BenchCommand::declare_power(CLI::App& app) {
  app.add_option("--power", power_, "Power source: " + PowerMonitor::source_names())
      ->type_name("SOURCE")
      ->capture_default_str()
      ->group("Power");
  power_interval_.declare(app)->group("Power");
  sensor_accuracy_.declare(app)->group("Power");
  app.add_option("--baseline-s", baseline_s_,
                 "Seconds of idle measurement before each round; 0: none")
      ->type_name("S")
      ->transform(number(0.0, 3600.0))
      ->capture_default_str()
      ->group("Power");
  app.add_flag("--baseline-force", baseline_force_,
               "Measure the baseline even if the machine is not idle")
      ->group("Power");
}

void BenchCommand::declare_result(CLI::App& app) {
  CLI::Option* const name =
      app.add_option("--experiment", experiment_, "Name of the experiment [bench-DATE-TIME-ID]")
          ->type_name("NAME")
          ->check(not_empty())
          ->group("Result");
  app.add_option("--resume", resume_, "Go on with an experiment that was interrupted")
      ->type_name("NAME")
      ->check(not_empty())
      ->excludes(name)
      ->group("Result");
  app.add_option("--depth", depth_, "How detailed the runs are, as for enprof run")
      ->type_name("DEPTH")
      ->transform(one_of({"minimal", "module", "deep"}).description(""))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--tag", tags_, "Tag the runs; may be given more than once")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->type_name("TAG")
      ->check(not_empty())
      ->group("Result");
  app.add_option("--price", price_, "Price of energy, USD/kWh [0.12]")
      ->type_name("USD")
      ->transform(number(0.0, 1000.0))
      ->group("Result");
  app.add_flag(
         "--dry-run", dry_run_,
         "List the points, the time they will take and the differences they can show, and end")
      ->group("Result");
  app.add_option("-o,--output", output_, "Form of the result")
      ->type_name("md|csv|json|jsonl|sql")
      ->transform(one_of({"md", "csv", "json", "jsonl", "sql"}).description(""))
      ->capture_default_str()
      ->group("Result");
}

void BenchCommand::find_models(ExperimentDesign& design) {
  std::map<std::string, std::string> found;
  const auto find = [&](std::string& model) {
    if (!found.contains(model)) {
      const auto path = find_model(model, usual_model_places());
      found.emplace(model, path ? path->string() : model);
      if (path && *path != model) {
        print_note("model: " + path->string());
      }
    }
    model = found[model];
  };
  for (PointBlock& block : design.blocks) {
    std::ranges::for_each(block.models, find);
  }
  for (Exclusion& exclusion : design.exclusions) {
    std::ranges::for_each(exclusion.models, find);
  }
  if (design.quality && !design.quality->reference.empty()) {
    find(design.quality->reference);
  }
}

Result<void> BenchCommand::dry_run(const BenchRequest& request) const {
  constexpr std::size_t kLookedAt = 500;
  const ExperimentDesign& design = request.design;
  std::vector<ProfiledRun> history;
  if (auto database = database_option_.open_to_read()) {
    auto runs = stored_runs(*database, {.limit = kLookedAt}, kFiguresOnly);
    if (!runs) {
      return std::unexpected(runs.error());
    }
    history = *std::move(runs);
  } else if (database.error().code != ErrorCode::not_found) {
    return std::unexpected(database.error());
  }
  TextTable table({TextTable::Align::left, TextTable::Align::right});
  table.row({"point", "a run takes about"}, Style::dim);
  double sum = 0.0;
  bool is_known = true;
  std::string contradictions;
  const std::vector<ExperimentPoint> points = design.points();
  for (const ExperimentPoint& point : points) {
    if (const auto reason = contradiction(point)) {
      contradictions +=
          fmt::format("- {} cannot be measured: {}\n", printable(point.label), *reason);
      continue;
    }
    const auto time = forecast_time(point, history);
    is_known = is_known && time;
    sum += time.value_or(0.0) * design.repeats;
    table.row({point.label, time ? format_duration(from_ms(1e3 * *time)) : std::string{kAbsent}});
  }
  const double idle = baseline_s_ * design.repeats;
  const std::size_t runs = points.size() * static_cast<std::size_t>(design.repeats);
  const std::string total =
      is_known ? fmt::format("about {} with idle measurements, without loading and warm-up",
                             format_duration(from_ms(1e3 * (sum + idle))))
               : "how long it takes is not known: the history has no run of some of these models";
  const std::size_t width = stdout_terminal().width;
  std::string text = table.text(stdout_terminal(), 0);
  text += wrap(fmt::format("{} of {}{}, {} each: {}; {}", counted(points.size(), "point"),
                           printable(design.name), design.precision ? ", at most" : "",
                           counted(design.repeats, "run"), counted(runs, "run"), total),
               width, 0) +
          "\n";
  if (points.size() > 1) {
    text += wrap(what_it_can_find(design, history), width, 0) + "\n";
  }
  return write_output("-", text + contradictions);
}

SessionPower::Options BenchCommand::power_options() const {
  SessionPower::Options options{.open =
                                    [this] {
                                      PowerEnvironment environment = power_environment();
                                      environment.relative_uncertainty =
                                          sensor_accuracy_.by_source();
                                      return PowerMonitor::open(power_, environment);
                                    },
                                .interval = power_interval_.interval(),
                                .is_required = names_required(power_),
                                .notify = print_note};
  if (baseline_s_ > 0.0) {
    options.baseline = [this](PowerMonitor& monitor, const std::stop_token& stop) {
      return measure_baseline(monitor, baseline_s_, stop,
                              baseline_force_ ? BusyMachine::measure : BusyMachine::refuse);
    };
  }
  return options;
}

std::string BenchCommand::result_text(const ExperimentDesign& design,
                                      const ExperimentOutcome& outcome) const {
  return output_ == "csv"     ? experiment_csv(design, outcome)
         : output_ == "json"  ? experiment_json(design, outcome)
         : output_ == "jsonl" ? experiment_jsonl(design, outcome)
         : output_ == "sql"   ? experiment_sql(design, outcome)
                              : experiment_markdown(design, outcome, stdout_terminal());
}

int BenchCommand::measure(const BenchRequest& request, ProfileDatabase& database,
                          std::vector<ProfiledRun> earlier) {
  const ExperimentDesign& design = request.design;
  const Interrupt interrupt;
  SessionPower power(power_options());
  if (const auto opened = power.open(); !opened) {
    print_error(opened.error());
    return opened.error().code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  }
  ModelKeeper models({.engine_for = engine_for});
  const PowerEnvironment places = power_environment();
  std::optional<PowerLimits> limits;
  if (const auto wanted = limits_of(design); !wanted.empty()) {
    limits.emplace(PowerLimits::Options{.sysfs_root = places.sysfs_root,
                                        .nvml_library = places.nvml_library,
                                        .guard = {program_path().string(), kLimitGuardArgument}});
    if (const auto possible = limits->prepare(wanted); !possible) {
      print_error(possible.error());
      return exit_failed;
    }
  }
  BenchProgress progress;
  const Qualities qualities =
      judge_models(design, models,
                   {.cache = quality_cache(),
                    .stop = interrupt.token(),
                    .on_model = [](const std::string& model) {
                      print_note(fmt::format("judging the answers of {}", printable(model)));
                    }});
  for (const auto& [model, quality] : qualities) {
    if (!quality && !interrupt.requested()) {
      print_note(fmt::format("the answers of {} are not judged: {}{}{}", printable(model),
                             quality.error().message, quality.error().hint.empty() ? "" : "\n  ",
                             quality.error().hint));
    }
  }
  std::vector<std::string> tags = request.tags;
  std::ranges::copy(tags_, std::back_inserter(tags));
  tags.push_back(make_tag(kMachineTag, machine_name(places.procfs_root)));
  ExperimentRunner runner(
      {.store = &database,
       .power = &power,
       .models = &models,
       .profiler = {.economics = economics_of(request),
                    .power_interval = power_interval_.interval(),
                    .procfs_root = places.procfs_root,
                    .sysfs_root = places.sysfs_root},
       .depth = depth_from_string(depth_).value_or(Depth::minimal),
       .tags = std::move(tags),
       .earlier = std::move(earlier),
       .prompts = read_prompts(design),
       .qualities = qualities,
       .set_limits = limits ? ExperimentRunner::SetLimits{[&](const auto& wanted) {
         return limits->set(values_of(wanted));
       }}
                            : ExperimentRunner::SetLimits{},
       .budget = request.budget_s ? std::optional{from_ms(1e3 * *request.budget_s)} : std::nullopt,
       .session_observer = &progress,
       .observer = &progress});
  const ExperimentOutcome outcome = runner.run(design, interrupt.token());
  progress.clear();
  bool is_restored = true;
  if (limits) {
    if (const auto restored = limits->restore(); !restored) {
      print_error(restored.error());
      is_restored = false;
    }
  }
  if (const auto written = write_output("-", result_text(design, outcome)); !written) {
    print_error(written.error());
    return interrupt.requested() ? interrupt.exit_code() : exit_failed;
  }
  if (const double all = seconds(outcome.times.all); all > 0.0 && !outcome.interrupted) {
    print_note(fmt::format(
        "runs took {}, loading and idle measurements {}, warm-up {}; everything else {} ({:.2g} %)",
        format_duration(outcome.times.runs), format_duration(outcome.times.preparation),
        format_duration(outcome.times.warm_ups), format_duration(outcome.times.rest()),
        100.0 * seconds(outcome.times.rest()) / all));
  }
  const int code = end_of(request, outcome);
  return outcome.interrupted ? interrupt.exit_code() : is_restored ? code : int{exit_failed};
}

int BenchCommand::end_of(const BenchRequest& request, const ExperimentOutcome& outcome) const {
  const std::string resume =
      fmt::format("enprof bench --resume {}", shell_quote(printable(request.design.name)));
  if (outcome.budget_spent) {
    print_note(
        fmt::format("the budget of {:g} s is spent; to go on: {}", *request.budget_s, resume));
  }
  if (outcome.interrupted) {
    print_note("cancelled; the runs so far are saved. To go on: " + resume);
  }
  for (const PointResult& result : outcome.points) {
    std::ranges::for_each(result.runs, keep_unsaved_run);
  }
  const auto has_figures = [](const PointResult& result) {
    return summary_of(result).has_figures();
  };
  if (std::ranges::none_of(outcome.points, has_figures)) {
    if (!outcome.interrupted) {
      print_error(
          {ErrorCode::unavailable, "No point has a figure: no run of this experiment can be used",
           "The lines below the table say why. Where other programs kept the machine busy, stop "
           "them, and go on: " +
               resume});
    }
    return exit_failed;
  }
  bool is_whole = true;
  for (const PointResult& result : outcome.points) {
    const bool is_there = has_figures(result);
    if (!is_there && !result.error && !result.runs.empty()) {
      print_note(fmt::format("{} has no figure: none of its {} can be used; to go on: {}",
                             printable(result.point.label), counted(result.runs.size(), "run"),
                             resume));
    }
    is_whole =
        is_whole && is_there && !result.error && std::ranges::none_of(result.runs, is_unsaved);
  }
  return is_whole ? exit_done : exit_degraded;
}

int BenchCommand::run() {
  const auto failed = [](const Error& error) {
    print_error(error);
    return error.code == ErrorCode::invalid_argument || error.code == ErrorCode::malformed
               ? exit_usage
               : exit_failed;
  };
  // Errors in the request are found before a database is made.
  const bool resumes = !resume_.empty();
  auto request = resumes ? Result<BenchRequest>{} : points_.request(experiment_);
  if (!request) {
    return failed(request.error());
  }
  std::optional<ProfileDatabase> database;
  std::vector<ProfiledRun> earlier;
  if (resumes || !dry_run_) {
    auto opened = resumes ? database_option_.open_existing() : database_option_.open_to_save();
    if (!opened) {
      return failed(opened.error());
    }
    database = *std::move(opened);
    auto runs = runs_of_experiment(*database, resumes ? resume_ : request->design.name);
    if (!runs) {
      return failed(runs.error());
    }
    earlier = *std::move(runs);
  }
  if (resumes) {
    if (earlier.empty()) {
      return failed(no_such_experiment(resume_));
    }
    request = points_.request_of(resume_, earlier);
    if (!request) {
      return failed(request.error());
    }
  } else if (!earlier.empty()) {
    const std::string name = printable(request->design.name);
    return failed(
        {ErrorCode::invalid_argument,
         fmt::format("There are {} of experiment {} already", counted(earlier.size(), "run"), name),
         fmt::format("To go on with it: enprof bench --resume {}. Else choose another "
                     "name.",
                     shell_quote(name))});
  }
  if (price_) {
    request->price_usd_per_kwh = price_;
  }
  if (!resumes) {
    find_models(request->design);
  }
  if (dry_run_) {
    const auto listed = dry_run(*request);
    return listed ? exit_done : failed(listed.error());
  }
  return measure(*request, *database, std::move(earlier));
}

}  // namespace enprof
