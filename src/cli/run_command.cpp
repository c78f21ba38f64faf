#include "cli/run_command.hpp"

#include "base/lower_case.hpp"
#include "base/shell_quote.hpp"
#include "cli/calibration.hpp"
#include "cli/console.hpp"
#include "cli/idle_baseline.hpp"
#include "cli/interrupt.hpp"
#include "cli/live_line.hpp"
#include "cli/model_file.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/prompt_text.hpp"
#include "cli/unsaved_run.hpp"
#include "engines/registry/engine_registry.hpp"
#include "power/power_sources.hpp"
#include "report/run_json.hpp"
#include "report/run_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

/// Warnings that say something about the machine, not that data is missing.
constexpr std::array<std::string_view, 11> kAdvice{
    "foreign_load",     "baseline_above_run", "rate_deviation",
    "realtime_refused", "dropped_events",     "context_beyond_training",
    "listener_left",    "spans_cut",          "domain_left_out",
    "rails_added",      "counters_mirrored"};
bool is_degraded(const ProfiledRun& run) {
  return std::ranges::any_of(run.warnings, [](const Warning& warning) {
    return warning.component != "machine" &&
           std::ranges::find(kAdvice, warning.code) == kAdvice.end();
  });
}

bool is_there(const std::string& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

/// A sentence may end with such a word, too.
bool looks_like_model(const std::string& word) {
  return is_model_file_name(word) && (word.find(' ') == std::string::npos || is_there(word));
}

/// Shows on stderr how a run comes along.
class RunProgress final : public SessionObserver {
 public:
  void on_loading(const RunTask& task, double share) override {
    if (!status_) {
      status_.emplace();
    }
    status_->show_progress("Loading " + std::filesystem::path{task.model}.filename().string(),
                           share);
  }
  void on_load_end(const RunTask& /*task*/, const Result<void>& /*loaded*/) override {
    status_.reset();
  }
  void on_begin(const RunTask& /*task*/, std::size_t most_output_tokens,
                InferencePipelineProfiler& profiler, PowerMonitor* power) override {
    LiveLine::attach(profiler, power, most_output_tokens);
  }
  void on_trouble(const RunTask& /*task*/, const Warning& warning) override {
    print_note(warning.message + (warning.hint.empty() ? "" : "\n  " + warning.hint));
  }

 private:
  std::optional<StatusLine> status_;
};

}  // namespace

void RunCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("run", "Profile a prompt on a GGUF model");
  app_->footer(
      "Exit codes: 0 done, 1 failed, 2 usage, 3 done but degraded (under --strict, or not "
      "saved), 130 cancelled by Ctrl-C.\n"
      "Examples:\n"
      "  enprof run model.gguf \"Why is the sky blue?\"        profile a prompt\n"
      "  enprof run gemma -f prompt.txt -n 256 --chat        a model, by a part of its name\n"
      "  enprof run -m model.gguf -p \"Hi\" --depth deep       down to each operation\n"
      "  enprof run model.gguf \"Hi\" --power rapl,nvml        only these sensors\n"
      "  enprof run model.gguf \"Hi\" --json - | jq .totals    for a script\n");
  CLI::App& app = *app_;

  app.add_option("MODEL", model_word_,
                 "Model file (GGUF), or a part of its name, searched for in this directory, "
                 "$ENPROF_MODELS_DIR, ~/models and the caches of llama.cpp, Hugging Face and LM "
                 "Studio");
  app.add_option("PROMPT", prompt_word_, "Prompt; - reads standard input");
  model_option_ = app.add_option("-m,--model", model_, "The same as MODEL")
                      ->type_name("FILE|NAME")
                      ->check(not_empty())
                      ->group("Model");
  app.add_option("--ctx", generate_.context,
                 "Context in tokens; 0: as much as prompt and output need")
      ->type_name("N")
      ->transform(whole_number(0, 16'777'216))
      ->capture_default_str()
      ->group("Model");
  app.add_option("--threads", generate_.threads, "CPU threads; 0: one per available CPU")
      ->type_name("N")
      ->transform(whole_number(0, 512))
      ->capture_default_str()
      ->group("Model");
  engine_settings_.declare(app, "Model");

  prompt_option_ = app.add_option("-p,--prompt", prompt_, "The same as PROMPT")
                       ->type_name("TEXT")
                       ->group("Prompt");
  prompt_file_option_ =
      app.add_option("-f,--file", prompt_file_, "Read the prompt from a file; - is standard input")
          ->type_name("FILE")
          ->check(not_empty())
          ->excludes(prompt_option_)
          ->group("Prompt");
  app.add_flag("--chat", generate_.chat, "Wrap the prompt in the model's chat template")
      ->group("Prompt");
  output_option_ = app.add_option("-n", generate_.max_tokens, "Maximum number of output tokens")
                       ->type_name("N")
                       ->transform(whole_number(1, 1'000'000))
                       ->capture_default_str()
                       ->group("Prompt");
  app.add_option("--temp", generate_.temperature, "Temperature; 0 is greedy and repeatable")
      ->type_name("T")
      ->transform(number(0.0, 100.0))
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--top-k", generate_.top_k, "Sample from the K most likely tokens; 0: all")
      ->type_name("K")
      ->transform(whole_number(0, 1'000'000))
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--top-p", generate_.top_p,
                 "Sample from the most likely tokens that have this probability together")
      ->type_name("P")
      ->transform(number_above(0.0, 1.0))  // 0 would leave no tokens
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--seed", generate_.seed, "Seed of the sampler")
      ->type_name("N")
      ->transform(whole_number(0, std::numeric_limits<std::uint32_t>::max()))
      ->capture_default_str()
      ->group("Prompt");
  app.add_flag("--ignore-eos", generate_.ignore_eos,
               "Continue after an end-of-generation token, up to -n")
      ->group("Prompt");

  app.add_option("--power", power_, "Power source: " + PowerMonitor::source_names())
      ->type_name("SOURCE")
      ->capture_default_str()
      ->group("Power");
  power_interval_.declare(app)->group("Power");
  app.add_option("--power-lock", power_lock_,
                 "Read energy counters when they change (on), or at fixed intervals (off)")
      ->type_name("on|off")
      ->transform(one_of({"on", "off"}).description(""))
      ->capture_default_str()
      ->group("Power");
  app.add_option("--baseline-s", baseline_s_, "Seconds of idle measurement before the run; 0: none")
      ->type_name("S")
      ->transform(number(0.0, 3600.0))
      ->capture_default_str()
      ->group("Power");
  app.add_flag("--baseline-force", baseline_force_,
               "Measure the baseline even if the machine is not idle")
      ->group("Power");
  sensor_accuracy_.declare(app)->group("Power");
  CLI::Option* const calibrate =
      app.add_flag("--calibrate", calibrate_,
                   "Measure the power of the model's components first, as enprof calibrate does")
          ->group("Power");
  app.add_option("--calibrate-seconds", calibrate_s_, "Time that --calibrate takes, about")
      ->type_name("S")
      ->transform(number(0.1, 3600.0))
      ->capture_default_str()
      ->group("Power");
  app.add_flag("--no-calibration", no_calibration_, "Use no calibration, even if one fits")
      ->excludes(calibrate)
      ->group("Power");
  app.add_flag("--power-realtime", power_realtime_,
               "Read sensors at realtime priority (needs CAP_SYS_NICE)")
      ->group("Power");
  app.add_option("--tdp-watts", tdp_watts_, "CPU power at full load, for estimate")
      ->type_name("W")
      ->transform(number(0.1, 100'000.0))
      ->group("Power");
  app.add_option("--idle-watts", idle_watts_, "CPU power when idle, for estimate")
      ->type_name("W")
      ->transform(number(0.0, 100'000.0))
      ->group("Power");
  app.add_option("--record-power", record_power_, "Write the readings to a file for replay:FILE")
      ->type_name("FILE")
      ->check(not_empty())
      ->group("Power");

  app.add_option("--depth", depth_,
                 "How detailed: phases and tokens (minimal); layers and components (module); each "
                 "operation, and values of some tokens (deep)")
      ->type_name("DEPTH")
      ->transform(one_of({"minimal", "module", "deep"}).description(""))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--values-every", generate_.values_every,
                 "With --depth deep: sample the values of one token in N; 0: none")
      ->type_name("N")
      ->transform(whole_number(0, 1'000'000'000))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--sparsity-threshold", generate_.sparsity_threshold,
                 "Values and attention weights below it count as zero")
      ->type_name("X")
      ->transform(number(0.0, 1e30).description("0 or more"))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--tag", tags_, "Tag the run; may be given more than once")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)  // what follows may be the model
      ->type_name("TAG")
      ->check(not_empty())
      ->group("Result");
  app.add_option("--experiment", experiment_, "Experiment that the run belongs to")
      ->type_name("NAME")
      ->check(not_empty())
      ->group("Result");
  app.add_option("--price", economics_.price_usd_per_kwh, "Price of energy, USD/kWh")
      ->type_name("USD")
      ->transform(number(0.0, 1000.0))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--carbon", economics_.carbon_g_per_kwh, "Carbon intensity, g CO2/kWh")
      ->type_name("G")
      ->transform(number(0.0, 100'000.0))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--json", json_, "Write the run as JSON; - is standard output, without the report")
      ->type_name("FILE")
      ->check(not_empty())
      ->group("Result");
  app.add_flag("--no-save", no_save_, "Do not save the run in the database")->group("Result");
  app.add_flag("--strict", strict_,
               "Exit with 3 if part of the data is missing; exit at once if power cannot be "
               "measured")
      ->group("Result");
  database_.declare(app);
}

Result<void> RunCommand::assign_words() {
  const auto refuse = [](std::string message, std::string hint) {
    return fail(ErrorCode::invalid_argument, std::move(message), std::move(hint));
  };
  for (const auto& [option, what] : {std::pair{model_option_, "The model is named twice"},
                                     {prompt_option_, "The prompt is given twice"},
                                     {prompt_file_option_, "The prompt's file is named twice"}}) {
    if (option->count() > 1) {
      const auto& given = option->results();
      return refuse(
          fmt::format("{}: {} and {}", what, shell_quote(given[0]), shell_quote(given[1])),
          "Leave one of them out.");
    }
  }
  if (!model_.empty() && !model_word_.empty()) {
    if (!prompt_word_.empty()) {
      return refuse(fmt::format("The model is named twice: {} and {}", model_, model_word_),
                    "Leave one of them out; put a prompt of several words in quotes.");
    }
    prompt_word_ = std::exchange(model_word_, {});  // with -m the first word is the prompt
  } else if (model_.empty()) {
    model_ = std::exchange(model_word_, {});
  }
  if (model_.empty()) {
    return refuse("No model is named: MODEL or --model is missing",
                  "For example: enprof run model.gguf \"Hello\". See enprof run --help.");
  }
  if (looks_like_model(prompt_word_) && !is_model_file_name(model_) && !is_there(model_)) {
    return refuse(fmt::format("The prompt, {}, looks like the model, but there is no file {}",
                              prompt_word_, model_),
                  fmt::format("Did you mean: enprof run {} {}", shell_quote(prompt_word_),
                              shell_quote(model_)));
  }
  if (!prompt_word_.empty() && (prompt_option_->count() > 0 || !prompt_file_.empty())) {
    return refuse(fmt::format("The prompt is given twice: \"{}\" and with {}", prompt_word_,
                              prompt_file_.empty() ? "-p" : "-f"),
                  "Leave one of them out.");
  }
  if (prompt_word_ == "-") {
    prompt_file_ = std::exchange(prompt_word_, {});
  } else if (!prompt_word_.empty()) {
    prompt_ = std::exchange(prompt_word_, {});
  }
  return {};
}

Result<void> RunCommand::read_prompt() {
  if (!prompt_file_.empty()) {
    if (prompt_file_ == "-" && isatty(STDIN_FILENO) == 1) {
      print_note("type the prompt, and end it with Ctrl-D on an empty line");
    }
    auto read = read_prompt_file(prompt_file_);
    if (!read) {
      return std::unexpected(read.error());
    }
    prompt_ = *std::move(read);
  }
  return {};
}

/// Checks -n against the context before the model is loaded.
Result<void> RunCommand::check_output_length(std::optional<std::int64_t> trained) const {
  if (output_option_->count() == 0) {
    return {};
  }
  if (generate_.context > 0) {
    if (generate_.max_tokens > generate_.context) {
      return fail(
          ErrorCode::invalid_argument,
          fmt::format("-n {} is more than the context of --ctx {} holds", generate_.max_tokens,
                      generate_.context),
          fmt::format("Pass a larger --ctx, or a smaller -n: {} positions hold prompt and output.",
                      generate_.context));
    }
    return {};
  }
  if (trained && generate_.max_tokens > *trained) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("-n {} is more than the context of {} holds: it was trained with {} "
                    "positions",
                    generate_.max_tokens, model_, *trained),
        fmt::format("Pass a smaller -n: {} positions hold prompt and output. Or pass a --ctx "
                    "for both: beyond what the model was trained with, its text may be "
                    "nonsense.",
                    *trained));
  }
  return {};
}

PowerEnvironment RunCommand::environment() const {
  PowerEnvironment result = power_environment();
  result.lock_to_steps = power_lock_ == "on";
  result.relative_uncertainty = sensor_accuracy_.by_source();
  if (tdp_watts_) {
    result.tdp = Watts{*tdp_watts_};
  }
  if (idle_watts_) {
    result.idle = Watts{*idle_watts_};
  }
  return result;
}

SessionPower::Options RunCommand::power_options() const {
  SessionPower::Options options{
      .open = [this] { return PowerMonitor::open(power_, environment()); },
      .interval = power_interval_.interval(),
      .priority = power_realtime_ ? SamplingPriority::realtime : SamplingPriority::normal,
      .record_to = record_power_,
      .is_required = strict_ || names_required(power_),
      .notify = print_note};
  if (baseline_s_ > 0.0) {
    options.baseline = [this](PowerMonitor& monitor, const std::stop_token& stop) {
      return measure_baseline(monitor, baseline_s_, stop,
                              baseline_force_ ? BusyMachine::measure : BusyMachine::refuse);
    };
  }
  return options;
}

RunTask RunCommand::task() const {
  RunTask task{.model = model_,
               .generate = generate_,
               .depth = depth_from_string(depth_).value_or(Depth::module),
               .tags = tags_,
               .experiment = experiment_};
  task.generate.prompt = prompt_;
  return task;
}

std::shared_ptr<const Calibration> RunCommand::calibration(LoadedModel& model, const RunTask& task,
                                                           PowerMonitor& power,
                                                           const std::stop_token& stop) const {
  const auto folder = calibration_folder();
  if (!folder) {
    print_note("no calibration is used: " + folder.error().message);
    return nullptr;
  }
  const int threads = task.generate.threads;
  if (!calibrate_) {
    return find_calibration(model, threads, power, *folder);
  }
  auto made =
      calibrate_and_keep(model, power,
                         {.threads = threads,
                          .budget = from_ms(1e3 * calibrate_s_),
                          .busy = baseline_force_ ? BusyMachine::measure : BusyMachine::refuse},
                         *folder, stop);
  if (!made) {
    if (!stop.stop_requested()) {
      print_note(fmt::format("the components are not calibrated: {}{}{}", made.error().message,
                             made.error().hint.empty() ? "" : "\n  ", made.error().hint));
    }
    return nullptr;
  }
  return std::make_shared<const Calibration>(*std::move(made));
}

int RunCommand::report(const ProfiledRun& run, const Interrupt& interrupt) const {
  save_as_json(run);
  Result<void> written;
  if (json_ != "-") {
    written = write_output("-", run_report(run, stdout_terminal()));
  }
  if (written && !json_.empty()) {
    RunJson json(std::make_unique<RunInMemory>(run));
    written = write_output(json_, json);
  }
  if (!written) {
    print_error(written.error());
    if (!no_save_ && !is_unsaved(run)) {
      print_note(fmt::format("the run was saved; to see it: enprof show {}", run.run_id));
    }
    // A closed terminal both interrupts the program and cannot be written to.
    return interrupt.requested() ? interrupt.exit_code() : exit_failed;
  }
  if (interrupt.requested()) {
    print_note(no_save_ || is_unsaved(run)
                   ? "cancelled"
                   : "cancelled; the run so far was saved as " + run.run_id);
    return interrupt.exit_code();
  }
  return is_unsaved(run) || (strict_ && is_degraded(run)) ? exit_degraded : exit_done;
}

/// A run that is not on disk would be lost with this program.
void RunCommand::save_as_json(const ProfiledRun& run) const {
  if (!json_.empty() || no_save_ || !has_warning(run, kNotSavedWarning)) {
    return;
  }
  const std::string file = fmt::format("enprof-{}.json", run.run_id);
  if (const auto written = write_output(file, run_to_json(run)); written) {
    print_note(fmt::format(
        "the run is in {} instead; once there is room, import it: enprof import {}", file, file));
  } else {
    print_note(
        fmt::format("the run could not be written here either: {}. With --json FILE on a disk with "
                    "room the next run is kept",
                    written.error().message));
  }
}

/// Before inference begins there is no run to save: an empty one would become `last`.
int RunCommand::cancelled_before(const Interrupt& interrupt) {
  print_note("cancelled before the run began: there is nothing to save");
  return interrupt.exit_code();
}

int RunCommand::run() {
  const auto failed = [](const Error& error) {
    print_error(error);
    return exit_failed;
  };

  const auto wrong = [&](const Error& error) {
    print_error(error);
    return error.code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  };

  // Errors in the request are found before anything slow begins.
  if (const auto words = assign_words(); !words) {
    return wrong(words.error());
  }
  const auto model = find_model(model_, usual_model_places());
  if (!model) {
    return wrong(model.error());
  }
  if (*model != model_) {
    model_ = model->string();
    print_note("model: " + model_);
  }
  if (prompt_.empty() && prompt_option_->count() == 0 && prompt_file_.empty()) {
    return wrong({ErrorCode::invalid_argument, "No prompt is given",
                  fmt::format("For example: enprof run {} \"Hello\". Or pass -f FILE.",
                              shell_quote(model_))});
  }
  if (const auto read = read_prompt(); !read) {
    return failed(read.error());
  }
  if (!record_power_.empty() && lower_case(power_) == "none") {
    return wrong({ErrorCode::invalid_argument,
                  "--record-power needs a power source, but --power is none",
                  "Leave one of them out."});
  }
  // From here on Ctrl-C ends the program in an orderly way; until here it ends a wait for standard
  // input.
  const Interrupt interrupt;
  auto text = prompt_text(prompt_, {.is_argument = prompt_file_.empty(), .file = prompt_file_});
  if (!text) {
    return wrong(text.error());
  }
  prompt_ = *std::move(text);
  const std::array<std::pair<std::string_view, const std::string*>, 2> by_products{
      {{"\"run_id\"", &json_}, {"\"domain\"", &record_power_}}};
  for (const auto& [mark, file] : by_products) {
    if (const auto writable = file->empty() ? Result<void>{} : check_by_product(*file, mark);
        !writable) {
      return failed(writable.error());
    }
  }
  ModelKeeper models({.threads = generate_.threads,
                      .settings = engine_settings_.values(),
                      .engine_for = engine_for});
  const auto header = models.read_header(model_);  // read once, and reused for loading
  if (!header) {
    return failed(header.error());
  }
  if (const auto fits = check_output_length((*header)->trained_context); !fits) {
    return wrong(fits.error());
  }
  SessionPower power(power_options());
  if (const auto opened = power.open(); !opened) {
    return wrong(opened.error());
  }
  std::optional<ProfileDatabase> database;
  if (!no_save_) {
    auto opened = database_.open_to_save();
    if (!opened) {
      if (opened.error().hint.empty()) {
        opened.error().hint = "Pass --db PATH.";
      }
      if (!opened.error().hint.ends_with('.')) {
        opened.error().hint += '.';
      }
      opened.error().hint += " Or write the run only to a file: --no-save --json FILE.";
      return failed(opened.error());
    }
    database = std::move(*opened);
  }
  RunProgress progress;
  const PowerEnvironment places = power_environment();
  RunSession session(
      {.store = database ? &*database : nullptr,
       .power = &power,
       .models = &models,
       .profiler = {.economics = economics_,
                    .power_interval = power_interval_.interval(),
                    .procfs_root = places.procfs_root,
                    .sysfs_root = places.sysfs_root},
       .calibration =
           no_calibration_
               ? std::function<std::shared_ptr<const Calibration>(
                     LoadedModel&, const RunTask&, PowerMonitor&, const std::stop_token&)>{}
               : [this](LoadedModel& loaded, const RunTask& asked, PowerMonitor& monitor,
                        const std::stop_token&
                            stop) { return calibration(loaded, asked, monitor, stop); },
       .observer = &progress});
  const RunOutcome outcome = session.perform(task(), interrupt.token());
  if (interrupt.requested() && !outcome.has_begun) {
    return cancelled_before(interrupt);
  }
  if (!outcome.error) {
    return report(*outcome.run, interrupt);
  }
  if (outcome.run != nullptr) {
    save_as_json(*outcome.run);
    if (database && !is_unsaved(*outcome.run)) {
      print_note("the run so far was saved as " + outcome.run->run_id);
    }
  }
  return failed(*outcome.error);
}

}  // namespace enprof
