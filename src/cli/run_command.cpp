#include "cli/run_command.hpp"

#include "base/lower_case.hpp"
#include "base/shell_quote.hpp"
#include "cli/console.hpp"
#include "cli/idle_baseline.hpp"
#include "cli/interrupt.hpp"
#include "cli/live_line.hpp"
#include "cli/model_file.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/prompt_text.hpp"
#include "engines/registry/engine_registry.hpp"
#include "report/run_json.hpp"
#include "report/run_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

/// Warnings that say something about the machine, not that data is missing.
constexpr std::array<std::string_view, 8> kAdvice{
    "foreign_load",   "baseline_above_run",      "rate_deviation", "realtime_refused",
    "dropped_events", "context_beyond_training", "listener_left",  "spans_cut"};
constexpr std::string_view kNotSaved = "not_saved";

bool has_warning(const ProfiledRun& run, std::string_view code) {
  return std::ranges::find(run.warnings, code, &Warning::code) != run.warnings.end();
}

/// Whether the database does not have it, and will not have it by itself.
bool is_unsaved(const ProfiledRun& run) {
  return has_warning(run, kNotSaved) || has_warning(run, "saved_elsewhere");
}

bool is_degraded(const ProfiledRun& run) {
  return std::ranges::any_of(run.warnings, [](const Warning& warning) {
    return std::ranges::find(kAdvice, warning.code) == kAdvice.end();
  });
}

bool is_there(const std::string& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

/// A sentence may end so too.
bool looks_like_model(const std::string& word) {
  return is_model_file_name(word) && (word.find(' ') == std::string::npos || is_there(word));
}

/// A recording is what the run is to be reckoned with: without it there is nothing to be done.
bool replays(std::string_view source) { return lower_case(source).contains("replay:"); }

/// Shows on stderr how a run comes along.
class RunProgress final : public SessionObserver {
 public:
  void on_loading(const RunTask& order, double share) override {
    if (!status_) {
      status_.emplace();
    }
    status_->show_progress("Loading " + std::filesystem::path{order.model}.filename().string(),
                           share);
  }
  void on_load_end(const RunTask& /*order*/, const Result<void>& /*loaded*/) override {
    status_.reset();
  }
  void on_begin(const RunTask& /*order*/, std::size_t most_output_tokens,
                InferencePipelineProfiler& profiler, PowerMonitor* power) override {
    LiveLine::follow(profiler, power, most_output_tokens);
  }
  void on_trouble(const RunTask& /*order*/, const Warning& warning) override {
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
      "  enprof run gemma -f prompt.txt -n 256 --chat        a model by a part of its name\n"
      "  enprof run -m model.gguf -p \"Hi\" --depth deep       down to each operation\n"
      "  enprof run model.gguf \"Hi\" --power rapl,nvml        the sensors that are to be read\n"
      "  enprof run model.gguf \"Hi\" --json - | jq .totals    for a script\n");
  CLI::App& app = *app_;

  app.add_option("MODEL", model_word_,
                 "Model file (GGUF), or a part of its name: it is looked for here, in "
                 "$ENPROF_MODELS_DIR, ~/models and the caches of llama.cpp, Hugging Face and LM "
                 "Studio");
  app.add_option("PROMPT", prompt_word_, "Prompt; - reads it from standard input");
  model_option_ = app.add_option("-m,--model", model_, "The same as MODEL")
                      ->type_name("FILE|NAME")
                      ->check(not_empty())
                      ->group("Model");
  app.add_option("--ctx", generate_.context,
                 "Context in tokens; 0: as many as prompt and output need")
      ->type_name("N")
      ->transform(whole_number(0, 16'777'216))
      ->capture_default_str()
      ->group("Model");
  app.add_option("--threads", generate_.threads, "CPU threads; 0: one for each CPU of ours")
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
  output_option_ = app.add_option("-n", generate_.max_tokens, "Output tokens at most")
                       ->type_name("N")
                       ->transform(whole_number(1, 1'000'000))
                       ->capture_default_str()
                       ->group("Prompt");
  app.add_option("--temp", generate_.temperature, "Temperature; 0 is greedy: runs repeat")
      ->type_name("T")
      ->transform(number(0.0, 100.0))
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--top-k", generate_.top_k, "Sample from the K likeliest; 0: all")
      ->type_name("K")
      ->transform(whole_number(0, 1'000'000))
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--top-p", generate_.top_p, "Sample from the likeliest that make up this share")
      ->type_name("P")
      ->transform(number_above(0.0, 1.0))  // 0 would leave nothing to sample from
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--seed", generate_.seed, "Seed of the sampler")
      ->type_name("N")
      ->transform(whole_number(0, std::numeric_limits<std::uint32_t>::max()))
      ->capture_default_str()
      ->group("Prompt");
  app.add_flag("--ignore-eos", generate_.ignore_eos, "Go on after the end of generation, to -n")
      ->group("Prompt");

  app.add_option("--power", power_, "Power source: " + PowerMonitor::source_names())
      ->type_name("SOURCE")
      ->capture_default_str()
      ->group("Power");
  power_interval_.declare(app)->group("Power");
  app.add_option("--power-lock", power_lock_,
                 "Read energy counters at their own steps (on), or whenever it is time (off)")
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
               "Measure the baseline even where the machine is not idle")
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
                 "How fine: phases and tokens (minimal); layers and components (module); each "
                 "operation, and values on some tokens (deep)")
      ->type_name("DEPTH")
      ->transform(one_of({"minimal", "module", "deep"}).description(""))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--values-every", generate_.values_every,
                 "With --depth deep: look at the values of one token in so many; 0: none")
      ->type_name("N")
      ->transform(whole_number(0, 1'000'000'000))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--sparsity-threshold", generate_.sparsity_threshold,
                 "Values and attention weights below it count as none")
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
  app.add_flag("--no-save", no_save_, "Do not keep the run in the database")->group("Result");
  app.add_flag("--strict", strict_,
               "Exit with 3 where part of the data is missing; end at once where power cannot be "
               "measured")
      ->group("Result");
  database_.declare(app);
}

Result<void> RunCommand::take_words() {
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
                    "Leave one of them out; a prompt of several words goes in quotes.");
    }
    prompt_word_ = std::exchange(model_word_, {});  // after -m the first word is the prompt
  } else if (model_.empty()) {
    model_ = std::exchange(model_word_, {});
  }
  if (model_.empty()) {
    return refuse("No model is named: MODEL or --model is missing",
                  "For example: enprof run model.gguf \"Hello\". See enprof run --help.");
  }
  if (looks_like_model(prompt_word_) && !is_model_file_name(model_) && !is_there(model_)) {
    return refuse(fmt::format("The prompt, {}, looks like the model, and there is no file {}",
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
      print_note("type the prompt; Ctrl-D on a line of its own ends it");
    }
    auto read = read_prompt_file(prompt_file_);
    if (!read) {
      return std::unexpected(read.error());
    }
    prompt_ = *std::move(read);
  }
  return {};
}

/// That -n asks for more than a context holds is known before the model is loaded.
Result<void> RunCommand::check_output_length(std::optional<std::int64_t> trained) const {
  if (output_option_->count() == 0) {
    return {};
  }
  if (generate_.context > 0) {
    if (generate_.max_tokens > generate_.context) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("-n {} is more than the context of --ctx {} holds",
                              generate_.max_tokens, generate_.context),
                  fmt::format("Pass a larger --ctx, or -n {} less the prompt's tokens.",
                              generate_.context));
    }
    return {};
  }
  if (trained && generate_.max_tokens > *trained) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("-n {} is more than the context of {} holds: it was trained with {} "
                            "positions",
                            generate_.max_tokens, model_, *trained),
                fmt::format("Pass -n {} less the prompt's tokens; or a --ctx that holds both, "
                            "beyond which its text may be nonsense.",
                            *trained));
  }
  return {};
}

PowerEnvironment RunCommand::environment() const {
  PowerEnvironment result = power_environment();
  result.lock_to_steps = power_lock_ == "on";
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
      .is_required = strict_ || replays(power_),
      .tell = print_note};
  if (baseline_s_ > 0.0) {
    options.baseline = [this](PowerMonitor& monitor, const std::stop_token& stop) {
      return measure_baseline(monitor, baseline_s_, stop,
                              baseline_force_ ? BusyMachine::measure : BusyMachine::refuse);
    };
  }
  return options;
}

RunTask RunCommand::order() const {
  RunTask order{.model = model_,
                .generate = generate_,
                .depth = depth_from_string(depth_).value_or(Depth::module),
                .tags = tags_,
                .experiment = experiment_};
  order.generate.prompt = prompt_;
  return order;
}

int RunCommand::report(const ProfiledRun& run, const Interrupt& interrupt) const {
  keep_as_json(run);
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
    // A terminal that was closed is what interrupted it, and what cannot be written to.
    return interrupt.requested() ? interrupt.exit_code() : exit_failed;
  }
  if (interrupt.requested()) {
    print_note(no_save_ || is_unsaved(run) ? "cancelled"
                                           : "cancelled; what there is was saved as " + run.run_id);
    return interrupt.exit_code();
  }
  return is_unsaved(run) || (strict_ && is_degraded(run)) ? exit_degraded : exit_done;
}

/// What is nowhere on disk would be gone with this program.
void RunCommand::keep_as_json(const ProfiledRun& run) const {
  if (!json_.empty() || no_save_ || !has_warning(run, kNotSaved)) {
    return;
  }
  const std::string file = fmt::format("enprof-{}.json", run.run_id);
  if (const auto written = write_output(file, run_to_json(run)); written) {
    print_note(
        fmt::format("the run is in {} instead; once there is room: enprof import {}", file, file));
  } else {
    print_note(
        fmt::format("nor could the run be written here: {}. With --json FILE on a disk with "
                    "room the next one is kept",
                    written.error().message));
  }
}

/// Before anything was inferred there is no run to keep: it would be the `last` one.
int RunCommand::cancelled_before(const Interrupt& interrupt) {
  print_note("cancelled before the run began: there is nothing to keep");
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

  // What can be wrong with the request is found before anything slow begins.
  if (const auto words = take_words(); !words) {
    return wrong(words.error());
  }
  const auto model = find_model(model_, usual_model_places());
  if (!model) {
    return wrong(model.error());
  }
  if (*model != model_) {
    model_ = model->string();
    print_note("the model is " + model_);
  }
  if (const auto read = read_prompt(); !read) {
    return failed(read.error());
  }
  // From here on Ctrl-C ends the program in order; before, it ends a wait for standard input.
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
  const auto glance = models.look_at(model_);  // its head; read once, and used when it is loaded
  if (!glance) {
    return failed(glance.error());
  }
  if (const auto fits = check_output_length((*glance)->trained_context); !fits) {
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
      opened.error().hint += " Or keep the run in a file alone: --no-save --json FILE.";
      return failed(opened.error());
    }
    database = std::move(*opened);
  }
  RunProgress progress;
  RunSession session(
      {.store = database ? &*database : nullptr,
       .power = &power,
       .models = &models,
       .profiler = {.economics = economics_, .power_interval = power_interval_.interval()},
       .observer = &progress});
  const RunOutcome outcome = session.perform(order(), interrupt.token());
  if (interrupt.requested() && !outcome.has_begun) {
    return cancelled_before(interrupt);
  }
  if (!outcome.error) {
    return report(*outcome.run, interrupt);
  }
  if (outcome.run != nullptr) {
    keep_as_json(*outcome.run);
    if (database && !is_unsaved(*outcome.run)) {
      print_note("what there is of the run was saved as " + outcome.run->run_id);
    }
  }
  return failed(*outcome.error);
}

}  // namespace enprof
