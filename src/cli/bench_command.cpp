#include "cli/bench_command.hpp"

#include "base/counted.hpp"
#include "base/cpu_identity.hpp"
#include "base/printable.hpp"
#include "base/shell_quote.hpp"
#include "cli/console.hpp"
#include "cli/idle_baseline.hpp"
#include "cli/interrupt.hpp"
#include "cli/model_file.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/stored_run.hpp"
#include "cli/unsaved_run.hpp"
#include "cli/word_list.hpp"
#include "engines/registry/engine_registry.hpp"
#include "experiment/comparable.hpp"
#include "experiment/experiment_table.hpp"
#include "experiment/run_labels.hpp"
#include "power/power_sources.hpp"
#include "profile/run_id.hpp"
#include "report/format.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
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
    note(fmt::format("{}: run {} was disturbed and is done again: {}", printable(point.label),
                     run.run_id.substr(0, 8), disturbance(run)->message));
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

std::vector<std::string> split_models(const std::vector<std::string>& words) {
  std::vector<std::string> models;
  for (const std::string& word : words) {
    for (std::string& model : split_list(word)) {
      if (std::ranges::find(models, model) == models.end()) {
        models.push_back(std::move(model));
      }
    }
  }
  return models;
}

/// Two that begin in the same second have different names.
std::string new_name() {
  return fmt::format(
      "bench-{:%Y%m%d-%H%M%S}-{}",
      fmt::gmtime(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())),
      make_run_id().substr(0, 4));
}

/// How long a run of the point takes, in seconds: by the speeds of the newest run of its model with
/// as many threads, else of the newest of its model.
std::optional<double> run_time(const ExperimentPoint& point,
                               const std::vector<ProfiledRun>& history) {
  const auto file = std::filesystem::path{point.model}.filename();
  std::optional<double> time;
  for (const ProfiledRun& run : history) {
    const Totals& totals = run.totals;
    if (run.status != RunStatus::completed ||
        std::filesystem::path{run.model.path}.filename() != file ||
        !totals.prefill_tokens_per_second || !totals.decode_tokens_per_second) {
      continue;
    }
    const bool is_alike = point.threads == 0 || run.model.threads == point.threads;
    if (is_alike || !time) {
      time = point.prompt_tokens / *totals.prefill_tokens_per_second +
             (point.output_tokens - 1) / *totals.decode_tokens_per_second;
    }
    if (is_alike) {
      break;
    }
  }
  return time;
}

/// What this machine is, for comparisons; the same text on the same machine, also where this
/// program may use only a part of its CPUs.
std::string machine_name(const std::filesystem::path& procfs_root) {
  const CpuIdentity cpu = read_cpu_identity(procfs_root);
  return fmt::format("{}, {}{}", cpu.name.empty() ? "unknown CPU" : cpu.name,
                     counted(sysconf(_SC_NPROCESSORS_CONF), "CPU"),
                     cpu.is_virtual ? ", virtual" : "");
}

}  // namespace

void BenchCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("bench",
                                "Measure models and settings against each other, in repeated runs");
  declare_points(*app_);
  declare_power(*app_);
  declare_result(*app_);
  database_option_.declare(*app_);
  app_->footer(
      "Lists: 1,2,4 or 1-4 or 8-32+8 or 1-8*2. Each combination is a point; in each round each "
      "point is measured once, in random order.\n"
      "Exit codes: 0 done, 1 failed, 2 usage, 3 done but a point is missing or a run is not saved, "
      "130 cancelled by Ctrl-C.\n"
      "Examples:\n"
      "  enprof bench -m a-q8.gguf,a-q4.gguf -r 10             two quantizations\n"
      "  enprof bench -m a.gguf -t 1,2,4 -p 128,512 -n 64      threads and prompts\n"
      "  enprof bench -m a.gguf -r 30 --precision 1% -o csv    until it is known to 1 %\n"
      "  enprof compare --experiment NAME q8 q4                what may be said of it\n");
}

void BenchCommand::declare_points(CLI::App& app) {
  const auto list = [&](const char* flags, std::vector<std::string>& words, const char* help) {
    CLI::Option* const option = app.add_option(flags, words, help)
                                    ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                                    ->allow_extra_args(false)
                                    ->type_name("N,…")
                                    ->check(not_empty())
                                    ->group("Points");
    design_options_.push_back(option);
    return option;
  };
  list("-m,--model", models_, "Models: files, or parts of their names, separated by commas")
      ->type_name("FILE|NAME,…");
  list("-p,--prompt-tokens", prompts_,
       "Tokens of the prompt, which is made of tokens that mean nothing [512]");
  list("-n,--output-tokens", outputs_, "Output tokens [128]");
  list("-t,--threads", threads_, "CPU threads; 0: one per available CPU [0]");
  list("-b,--batch-size", batches_, "Tokens of the prompt at a time; 0: the engine's choice [0]");
  list("--ub,--ubatch-size", micro_batches_,
       "Of these, tokens that are computed as one graph (-ub); 0: the engine's choice [0]");
  list("--ngl,--gpu-layers", gpu_layers_, "Layers to offload to the GPU; -1: all [-1]");
  repeats_option_ = app.add_option("-r,--repeats", repeats_,
                                   "Runs of each point; with --precision at most so many")
                        ->type_name("N")
                        ->transform(whole_number(1, 10'000))
                        ->capture_default_str()
                        ->group("Points");
  precision_option_ =
      app.add_option("--precision", precision_pct_,
                     "Measure a point until half the 95 % interval of its energy per output token "
                     "is at most this share of it; at least five times")
          ->type_name("PCT")
          ->transform(percentage(100.0))
          ->group("Points");
  app.add_option("--budget", budget_s_, "Begin no run after so many seconds")
      ->type_name("S")
      ->transform(number_above(0.0, 1e7))
      ->group("Points");
  design_options_.push_back(
      app.add_option("--seed", seed_, "Seed of the order and of the prompts")
          ->type_name("N")
          ->transform(whole_number(0, std::numeric_limits<std::uint32_t>::max()))
          ->capture_default_str()
          ->group("Points"));
  app.add_flag("--dry-run", dry_run_, "List the points and the time they will take, and end")
      ->group("Points");
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
  app.add_option("-o,--output", output_, "Form of the result")
      ->type_name("md|csv|json|jsonl|sql")
      ->transform(one_of({"md", "csv", "json", "jsonl", "sql"}).description(""))
      ->capture_default_str()
      ->group("Result");
}

Result<ExperimentDesign> BenchCommand::design_of_options() const {
  ExperimentDesign design{.name = experiment_.empty() ? new_name() : experiment_,
                          .models = split_models(models_),
                          .repeats = repeats_,
                          .seed = seed_};
  if (design.models.empty()) {
    return fail(ErrorCode::invalid_argument, "No model is named: -m is missing",
                "For example: enprof bench -m a-q8.gguf,a-q4.gguf");
  }
  struct List {
    const char* flag;
    const std::vector<std::string>* words;
    std::vector<int>* numbers;
    int least;
    int most;
  };
  constexpr int kMostTokens = 16'777'216;
  for (const List& list : {List{"-p", &prompts_, &design.prompt_tokens, 1, kMostTokens},
                           List{"-n", &outputs_, &design.output_tokens, 1, 1'000'000},
                           List{"-t", &threads_, &design.threads, 0, 512},
                           List{"-b", &batches_, &design.batches, 0, kMostTokens},
                           List{"-ub", &micro_batches_, &design.micro_batches, 0, kMostTokens},
                           List{"-ngl", &gpu_layers_, &design.gpu_layers, -1, 100'000}}) {
    if (list.words->empty()) {
      continue;
    }
    auto numbers =
        parse_numbers(fmt::format("{}", fmt::join(*list.words, ",")), list.least, list.most);
    if (!numbers) {
      numbers.error().message = fmt::format("{}: {}", list.flag, numbers.error().message);
      return std::unexpected(numbers.error());
    }
    *list.numbers = *std::move(numbers);
  }
  return design;
}

Result<ExperimentDesign> BenchCommand::design_of_runs(const std::vector<ProfiledRun>& runs) const {
  for (const CLI::Option* option : design_options_) {
    if (option->count() > 0) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{} cannot be changed by --resume: the points are those of {}",
                              option->get_name(), printable(resume_)),
                  "Leave it out. -r, --precision and --budget may be other ones.");
    }
  }
  if (runs.empty()) {
    return std::unexpected(no_such_experiment(resume_));
  }
  for (const ProfiledRun& run : runs) {
    if (const auto text = tag_value(run.tags, kDesignTag)) {
      auto design = design_from_json(*text);
      if (design) {
        design->name = resume_;
        if (repeats_option_->count() > 0) {
          design->repeats = repeats_;
        }
      }
      return design;
    }
  }
  return fail(ErrorCode::unsupported,
              fmt::format("The runs of {} do not say how the experiment goes on: enprof bench did "
                          "not make them, or those of its first round were deleted",
                          printable(resume_)),
              "Begin a new one, under another name.");
}

void BenchCommand::find_models(ExperimentDesign& design) {
  for (std::string& model : design.models) {
    if (const auto found = find_model(model, usual_model_places())) {
      if (*found != model) {
        model = found->string();
        print_note("model: " + model);
      }
    }
  }
}

Result<void> BenchCommand::dry_run(const ExperimentDesign& design) const {
  constexpr std::size_t kLookedAt = 200;
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
  const std::vector<ExperimentPoint> points = design.points();
  for (const ExperimentPoint& point : points) {
    const auto time = run_time(point, history);
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
  return write_output(
      "-", table.text(stdout_terminal(), 0) +
               wrap(fmt::format("{} of {}{}, {} each: {}; {}", counted(points.size(), "point"),
                                printable(design.name), design.precision ? ", at most" : "",
                                counted(design.repeats, "run"), counted(runs, "run"), total),
                    stdout_terminal().width, 0) +
               "\n");
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

int BenchCommand::measure(const ExperimentDesign& design, ProfileDatabase& database,
                          std::vector<ProfiledRun> earlier) {
  const Interrupt interrupt;
  SessionPower power(power_options());
  if (const auto opened = power.open(); !opened) {
    print_error(opened.error());
    return opened.error().code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  }
  ModelKeeper models({.engine_for = engine_for});
  const PowerEnvironment places = power_environment();
  BenchProgress progress;
  std::vector<std::string> tags = tags_;
  tags.push_back(make_tag(kMachineTag, machine_name(places.procfs_root)));
  ExperimentRunner runner(
      {.store = &database,
       .power = &power,
       .models = &models,
       .profiler = {.power_interval = power_interval_.interval(),
                    .procfs_root = places.procfs_root,
                    .sysfs_root = places.sysfs_root},
       .depth = depth_from_string(depth_).value_or(Depth::minimal),
       .tags = std::move(tags),
       .earlier = std::move(earlier),
       .budget = budget_s_ ? std::optional{from_ms(1e3 * *budget_s_)} : std::nullopt,
       .session_observer = &progress,
       .observer = &progress});
  const ExperimentOutcome outcome = runner.run(design, interrupt.token());
  progress.clear();
  if (const auto written = write_output("-", result_text(design, outcome)); !written) {
    print_error(written.error());
    return interrupt.requested() ? interrupt.exit_code() : exit_failed;
  }
  const std::string resume =
      fmt::format("enprof bench --resume {}", shell_quote(printable(design.name)));
  if (outcome.budget_spent) {
    print_note(fmt::format("the budget of {:g} s is spent; to go on: {}", *budget_s_, resume));
  }
  if (outcome.interrupted) {
    print_note("cancelled; the runs so far are saved. To go on: " + resume);
    return interrupt.exit_code();
  }
  const auto has_runs = [](const PointResult& result) {
    return std::ranges::any_of(
        result.runs, [](const ProfiledRun& run) { return run.status == RunStatus::completed; });
  };
  if (std::ranges::none_of(outcome.points, has_runs)) {
    return exit_failed;
  }
  const bool is_whole = std::ranges::all_of(outcome.points, [&](const PointResult& result) {
    return has_runs(result) && !result.error && std::ranges::none_of(result.runs, is_unsaved);
  });
  return is_whole ? exit_done : exit_degraded;
}

int BenchCommand::run() {
  const auto failed = [](const Error& error) {
    print_error(error);
    return error.code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  };
  // Errors in the request are found before a database is made.
  auto design = resume_.empty() ? design_of_options() : Result<ExperimentDesign>{};
  if (!design) {
    return failed(design.error());
  }
  std::optional<ProfileDatabase> database;
  std::vector<ProfiledRun> earlier;
  if (!resume_.empty() || !dry_run_) {
    auto opened =
        resume_.empty() ? database_option_.open_to_save() : database_option_.open_existing();
    if (!opened) {
      return failed(opened.error());
    }
    database = *std::move(opened);
    auto runs = runs_of_experiment(*database, design->name.empty() ? resume_ : design->name);
    if (!runs) {
      return failed(runs.error());
    }
    earlier = *std::move(runs);
  }
  if (!resume_.empty()) {
    design = design_of_runs(earlier);
    if (!design) {
      return failed(design.error());
    }
  }
  if (precision_pct_) {
    design->precision = *precision_pct_ / 100.0;
  }
  if (resume_.empty() && !earlier.empty()) {
    return failed({ErrorCode::invalid_argument,
                   fmt::format("There are {} of experiment {} already",
                               counted(earlier.size(), "run"), printable(design->name)),
                   fmt::format("To go on with it: enprof bench --resume {}. Else choose another "
                               "name.",
                               shell_quote(printable(design->name)))});
  }
  if (resume_.empty()) {
    find_models(*design);
  }
  if (dry_run_) {
    const auto listed = dry_run(*design);
    return listed ? exit_done : failed(listed.error());
  }
  return measure(*design, *database, std::move(earlier));
}

}  // namespace enprof
