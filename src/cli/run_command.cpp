#include "cli/run_command.hpp"

#include "base/utf8.hpp"
#include "cli/console.hpp"
#include "cli/idle_baseline.hpp"
#include "cli/interrupt.hpp"
#include "cli/live_line.hpp"
#include "cli/output_file.hpp"
#include "report/run_json.hpp"
#include "report/run_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string_view>

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

/// Whether the engine said no to the request, rather than failing at the work.
bool is_refusal(const Error& error) {
  return error.code == ErrorCode::invalid_argument || error.code == ErrorCode::too_large ||
         error.code == ErrorCode::unsupported;
}

/// What can be said of a prompt before a model is loaded.
Result<void> check_prompt(const std::string& prompt) {
  if (prompt.empty()) {
    return fail(ErrorCode::invalid_argument, "The prompt is empty",
                "Pass one with -p \"…\", or -f FILE.");
  }
  if (const auto bad = first_invalid_utf8(prompt)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("The prompt is not UTF-8: byte {} is 0x{:02x}", *bad,
                            static_cast<unsigned char>(prompt[*bad])),
                "Convert it first, for example: iconv -f latin1 -t utf-8 FILE");
  }
  return {};
}

}  // namespace

void RunCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("run", "Profile a prompt on a GGUF model");
  app_->footer(
      "Exit codes: 0 done, 1 failed, 2 usage, 3 done but degraded (under --strict, or not "
      "saved), 130 cancelled by Ctrl-C.");
  CLI::App& app = *app_;

  app.add_option("-m,--model", model_, "Model file (GGUF)")
      ->required()
      ->type_name("FILE")
      ->group("Model");
  app.add_option("--ctx", generate_.context,
                 "Context in tokens; 0: as many as prompt and output need")
      ->check(CLI::Range(0, 16'777'216))
      ->capture_default_str()
      ->group("Model");
  app.add_option("--threads", generate_.threads, "CPU threads; 0: one for each CPU of ours")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str()
      ->group("Model");
  app.add_option("--ngl,--gpu-layers", load_.gpu_layers, "Layers to offload to the GPU; -1: all")
      ->check(CLI::Range(-1, 100'000))
      ->capture_default_str()
      ->group("Model");
  app.add_flag("--no-warmup", no_warm_up_, "Do not run the model once before measuring")
      ->group("Model");

  auto* prompt =
      app.add_option("-p,--prompt", prompt_, "Prompt")->type_name("TEXT")->group("Prompt");
  app.add_option("-f,--file", prompt_file_, "Read the prompt from a file; - is standard input")
      ->type_name("FILE")
      ->excludes(prompt)
      ->group("Prompt");
  app.add_flag("--chat", generate_.chat, "Wrap the prompt in the model's chat template")
      ->group("Prompt");
  app.add_option("-n", generate_.max_tokens, "Output tokens at most")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--temp", generate_.temperature, "Temperature; 0 is greedy: runs repeat")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--top-k", generate_.top_k, "Sample from the K likeliest; 0: all")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--top-p", generate_.top_p, "Sample from the likeliest that make up this share")
      ->check(CLI::Range(1e-6, 1.0))  // 0 would leave nothing to sample from
      ->capture_default_str()
      ->group("Prompt");
  app.add_option("--seed", generate_.seed, "Seed of the sampler")
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
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str()
      ->group("Power");
  app.add_option("--baseline-s", baseline_s_, "Idle measurement before the run; 0: none")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str()
      ->group("Power");
  app.add_flag("--baseline-force", baseline_force_,
               "Measure the baseline even where the machine is not idle")
      ->group("Power");
  app.add_flag("--power-realtime", power_realtime_,
               "Read sensors at realtime priority (needs CAP_SYS_NICE)")
      ->group("Power");
  app.add_option("--tdp-watts", tdp_watts_, "CPU power at full load, for estimate")
      ->check(CLI::Range(0.1, 100'000.0))
      ->group("Power");
  app.add_option("--idle-watts", idle_watts_, "CPU power when idle, for estimate")
      ->check(CLI::Range(0.0, 100'000.0))
      ->group("Power");
  app.add_option("--record-power", record_power_, "Write the readings to a file for replay:FILE")
      ->type_name("FILE")
      ->group("Power");

  app.add_option("--depth", depth_,
                 "How fine: phases and tokens (minimal); layers and components (module); each "
                 "operation, and values on some tokens (deep)")
      ->check(CLI::IsMember({"minimal", "module", "deep"}))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--values-every", generate_.values_every,
                 "With --depth deep: look at the values of one token in so many; 0: none")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--sparsity-threshold", generate_.sparsity_threshold,
                 "Values and attention weights below it count as none")
      ->check(CLI::Range(0.0, 1e30))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--tag", tags_, "Tag the run; may be given more than once")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("TAG")
      ->group("Result");
  app.add_option("--experiment", experiment_, "Experiment that the run belongs to")
      ->type_name("NAME")
      ->group("Result");
  app.add_option("--price", economics_.price_usd_per_kwh, "Price of energy, USD/kWh")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--carbon", economics_.carbon_g_per_kwh, "Carbon intensity, g CO2/kWh")
      ->check(CLI::Range(0.0, 100'000.0))
      ->capture_default_str()
      ->group("Result");
  app.add_option("--json", json_, "Write the run as JSON; - is standard output, without the report")
      ->type_name("FILE")
      ->group("Result");
  app.add_flag("--no-save", no_save_, "Do not keep the run in the database")->group("Result");
  app.add_flag("--strict", strict_, "Exit with 3 where part of the data is missing")
      ->group("Result");
  database_.declare(app);
}

Result<void> RunCommand::read_prompt() {
  if (prompt_file_.empty()) {
    return {};
  }
  if (prompt_file_ == "-") {
    std::ostringstream text;
    text << std::cin.rdbuf();
    prompt_ = std::move(text).str();
    return {};
  }
  std::error_code failed;
  std::ifstream in(prompt_file_, std::ios::binary);
  if (!in || std::filesystem::is_directory(prompt_file_, failed)) {
    return fail(ErrorCode::not_found, fmt::format("Cannot read the prompt from {}", prompt_file_),
                "Name a text file that exists and that you may read.");
  }
  std::ostringstream text;
  text << in.rdbuf();
  prompt_ = std::move(text).str();
  return {};
}

Result<PowerMonitor> RunCommand::open_power() const {
  PowerEnvironment environment = power_environment();
  environment.lock_to_steps = power_lock_ == "on";
  if (tdp_watts_) {
    environment.tdp = Watts{*tdp_watts_};
  }
  if (idle_watts_) {
    environment.idle = Watts{*idle_watts_};
  }
  return PowerMonitor::open(power_, environment);
}

Result<LlamaEngine> RunCommand::load_model(const Interrupt& interrupt) const {
  StatusLine status;
  LoadOptions options = load_;
  options.cancel = &interrupt.flag();
  options.threads = generate_.threads;
  options.warm_up = !no_warm_up_;
  options.progress = [&](float share) {
    status.show_progress("Loading " + std::filesystem::path{model_}.filename().string(),
                         static_cast<double>(share));
  };
  return LlamaEngine::load(model_, options);
}

Result<std::optional<Warning>> RunCommand::start_power(PowerMonitor& monitor,
                                                       const Interrupt& interrupt) const {
  if (!record_power_.empty()) {
    if (const auto recording = monitor.record_to(record_power_); !recording) {
      return std::unexpected(recording.error());
    }
  }
  const auto priority = power_realtime_ ? SamplingPriority::realtime : SamplingPriority::normal;
  if (const auto started = monitor.start(power_interval_.interval(), priority); !started) {
    return std::unexpected(started.error());
  }
  return measure_baseline(monitor, baseline_s_, interrupt.flag(),
                          baseline_force_ ? BusyMachine::measure : BusyMachine::refuse);
}

RunRequest RunCommand::request(std::size_t output_tokens) const {
  return {.prompt = prompt_,
          .model_name = std::filesystem::path{model_}.filename().string(),
          .tags = tags_,
          .experiment = experiment_,
          .depth = depth_from_string(depth_).value_or(Depth::module),
          .max_output_tokens = output_tokens};
}

int RunCommand::report(const ProfiledRun& run, const Interrupt& interrupt) const {
  keep_as_json(run);
  Result<void> written;
  if (json_ != "-") {
    written = write_output("-", run_report(run, stdout_terminal()));
  }
  if (written && !json_.empty()) {
    written = write_output(json_, run_to_json(run));
  }
  if (!written) {
    print_error(written.error());
    return exit_failed;
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

/// A run that was cancelled before it began is kept as such: nobody has to wonder where it went.
int RunCommand::save_cancelled(PowerMonitor* monitor, ProfileDatabase* database,
                               const Interrupt& interrupt) const {
  if (monitor != nullptr && !monitor->is_running()) {
    monitor = nullptr;
  }
  InferencePipelineProfiler profiler{monitor, database, {.economics = economics_}};
  RunScope run = profiler.run(request(1));
  run.set_finish_reason("cancelled");
  return report(run.finish(RunStatus::cancelled), interrupt);
}

int RunCommand::run() {
  const auto failed = [](const Error& error) {
    print_error(error);
    return exit_failed;
  };

  // What can be wrong with the request is found before anything slow begins.
  if (const auto read = read_prompt(); !read) {
    return failed(read.error());
  }
  // From here on Ctrl-C ends the program in order; before, it ends a wait for standard input.
  const Interrupt interrupt;
  if (const auto valid = check_prompt(prompt_); !valid) {
    print_error(valid.error());
    return exit_usage;
  }
  if (!json_.empty()) {
    if (const auto writable = check_output(json_); !writable) {
      return failed(writable.error());
    }
  }
  auto monitor = open_power();
  if (!monitor) {
    print_error(monitor.error());
    return monitor.error().code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  }
  std::optional<ProfileDatabase> database;
  if (!no_save_) {
    auto opened = database_.open();
    if (!opened) {
      if (opened.error().hint.empty()) {
        opened.error().hint = "Pass --db PATH.";
      }
      opened.error().hint += " Or pass --no-save to profile without keeping the run.";
      return failed(opened.error());
    }
    database = std::move(*opened);
  }
  ProfileDatabase* const store = database ? &*database : nullptr;

  auto engine = load_model(interrupt);
  if (interrupt.requested()) {
    return save_cancelled(&*monitor, store, interrupt);
  }
  if (!engine) {
    return failed(engine.error());
  }
  const auto power = start_power(*monitor, interrupt);
  if (!power) {
    return failed(power.error());
  }
  if (interrupt.requested()) {
    return save_cancelled(&*monitor, store, interrupt);
  }

  InferencePipelineProfiler profiler{
      &*monitor,
      store,
      {.economics = economics_,
       .power_interval = power_interval_.interval(),
       .on_trouble = [](const Warning& warning) {
         print_note(warning.message + (warning.hint.empty() ? "" : "\n  " + warning.hint));
       }}};
  LiveLine::follow(profiler);
  RunScope run = profiler.run(request(engine->most_output_tokens(generate_)));
  if (*power) {
    run.warn(**power);
  }
  GenerateOptions options = generate_;
  options.prompt = prompt_;
  options.cancel = &interrupt.flag();
  const auto generated = engine->generate(run, options);
  if (!generated && !interrupt.requested()) {
    if (is_refusal(generated.error())) {
      run.abandon();  // nothing was inferred: there is no run to keep
      return failed(generated.error());
    }
    run.set_finish_reason("error");
    const ProfiledRun& partial = run.finish(RunStatus::failed);
    keep_as_json(partial);
    if (store != nullptr && !is_unsaved(partial)) {
      print_note("what there is of the run was saved as " + partial.run_id);
    }
    return failed(generated.error());
  }
  return report(run.finish(interrupt.requested() ? RunStatus::cancelled : RunStatus::completed),
                interrupt);
}

}  // namespace enprof
