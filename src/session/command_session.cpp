#include "session/command_session.hpp"

#include "base/command_start.hpp"
#include "base/contains_text.hpp"
#include "base/log.hpp"
#include "base/periodic_thread.hpp"
#include "base/process_tree.hpp"
#include "base/program_kind.hpp"
#include "base/shell_quote.hpp"
#include "model/command_engine.hpp"
#include "session/played_passes.hpp"
#include "session/recorded_passes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <optional>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <stop_token>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"exec"};

RunStatus status_of(const CommandEnd& end) {
  if (was_cancelled(end)) {
    return RunStatus::cancelled;
  }
  return exit_code_of(end) == 0 ? RunStatus::completed : RunStatus::failed;
}

/// Empty if a library can be loaded into it.
std::string_view why_not_followed(ProgramKind kind) {
  switch (kind) {
    case ProgramKind::is_static:
      return "it is static, so no library is loaded into it";
    case ProgramKind::other_libc:
      return "its dynamic linker is not glibc's";
    case ProgramKind::other_machine:
      return "it is of another word size or processor than enprof";
    case ProgramKind::privileged:
      return "it is setuid or setgid, so the system loads nothing into it";
    case ProgramKind::dynamic:
    case ProgramKind::unknown:
      break;
  }
  return {};
}

/// Where llama.cpp reads a model it says this: a program that contains llama.cpp contains the text,
/// also when it is stripped.
constexpr std::string_view kLlamaText = "loaded meta data with %d key-value pairs";

/// What llama.cpp said of itself, beside the program's name.
void describe(const CommandProbe& probe, ModelFacts program, RunScope& run) {
  if (auto model = probe.model()) {
    model->path = std::move(program.path);
    model->engine = std::move(program.engine);
    model->name.clear();  // that of the program stays
    run.set_model(*std::move(model));
  }
}

/// How often passes from a file are told, as those of a probe are read.
constexpr std::chrono::milliseconds kPlayPeriod{20};

/// Tells the passes of a task while its command runs, if anybody asks for them.
class Playing {
 public:
  Playing(const CommandTask& task, Instant begin, LiveRequests* live, const Clock& clock)
      : clock_(clock) {
    if (!task.passes || live == nullptr) {
      return;
    }
    passes_.emplace(*task.passes, begin, *live);
    const auto started = thread_.start({.name = "enprof-passes",
                                        .purpose = "tell the recorded passes",
                                        .period = kPlayPeriod,
                                        .first = kPlayPeriod,
                                        .clock = &clock},
                                       [this] { passes_->tell(clock_.now()); });
    if (!started) {
      kLog.warning("The recorded passes are told at the end only: {}", started.error().message);
    }
  }
  void end() {
    thread_.stop();
    if (passes_) {
      passes_->tell(clock_.now());
    }
  }

 private:
  const Clock& clock_;
  std::optional<PlayedPasses> passes_;
  PeriodicThread thread_;
};

}  // namespace

std::string command_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    line += (line.empty() ? "" : " ") + shell_quote(word);
  }
  return line;
}

/// The scope of a run refers to its profiler, and that to the tree.
struct CommandSession::Running {
  Running(PowerMonitor* power, ProfileDatabase* store, ProfilerOptions options)
      : profiler(power, store, with_tree(std::move(options))) {}

  ProfilerOptions with_tree(ProfilerOptions options) {
    options.programs_cpu_time = [this] { return tree.cpu_time(); };
    return options;
  }

  ProcessTree tree;
  InferencePipelineProfiler profiler;
  std::optional<RunScope> scope;
};

CommandSession::CommandSession(Options options) : options_(std::move(options)) {}

CommandSession::~CommandSession() = default;

std::unique_ptr<CommandProbe> CommandSession::open_probe(const CommandTask& task,
                                                         std::vector<Warning>& warnings) const {
  if (options_.live != nullptr) {
    options_.live->clear();
  }
  if (!task.depth || task.passes) {
    return nullptr;
  }
  if (options_.probe.empty()) {
    warnings.push_back({.component = "probe",
                        .code = "probe_failed",
                        .message = "The command is not looked into: libenprof-probe.so is not "
                                   "installed with enprof",
                        .hint = "It belongs into lib/enprof beside bin/enprof: make install. "
                                "--no-probe measures commands as they are."});
    return nullptr;
  }
  const ProgramKind kind = program_kind(task.path);
  if (const std::string_view reason = why_not_followed(kind);
      !reason.empty() && (task.is_depth_wanted || kind == ProgramKind::other_machine)) {
    warnings.push_back(
        {.component = "probe",
         .code = "not_followed",
         .message = fmt::format("{} is not looked into: {}", task.path, reason),
         .hint =
             "Its time and energy are measured as those of any command. A llama.cpp in a shared "
             "library (-DBUILD_SHARED_LIBS=ON) that glibc loads shows its layers."});
  }
  if (kind == ProgramKind::other_machine) {
    return nullptr;  // its dynamic linker would print that it cannot load our library
  }
  auto probe =
      CommandProbe::open({.depth = *task.depth,
                          .library = options_.probe,
                          .plan = *task.depth == Depth::minimal ? PlanToldGraph{} : options_.plan,
                          .tokens = task.keeps_texts && options_.read_vocabulary,
                          .live = options_.live});
  if (!probe) {
    warnings.push_back({.component = "probe",
                        .code = "probe_failed",
                        .message = "The command is not looked into: " + probe.error().message,
                        .hint = probe.error().hint});
    return nullptr;
  }
  return *std::move(probe);
}

void CommandSession::add_texts(CaptureRecording& capture, RunScope& run) {
  if (capture.token_ids.empty()) {
    return;
  }
  std::vector<TextOfToken> by_model;
  for (const CapturedModel& model : capture.models) {
    TextOfToken& text = vocabularies_[model.facts.path];
    if (!text && !model.facts.path.empty()) {
      if (auto read = options_.read_vocabulary(model.facts.path)) {
        text = *std::move(read);
      } else {
        run.warn({.component = "probe",
                  .code = "texts_unknown",
                  .message =
                      fmt::format("The texts of requests are not known: {}", read.error().message),
                  .hint = "Their numbers of tokens are. --no-text does not look for texts."});
      }
    }
    by_model.push_back(text);
  }
  capture.text_of_token = [by_model = std::move(by_model)](std::uint32_t model,
                                                           std::int32_t token) {
    return model < by_model.size() && by_model[model] ? by_model[model](token) : std::string{};
  };
}

/// Says so where llama.cpp is a part of the program's own file, or of a library that it loads and
/// that is named after it: nothing tells where its functions are.
void CommandSession::look_for_static_llama(const CommandTask& task, const CommandProbe* probe,
                                           RunScope& run) {
  if (!task.depth || task.passes || (probe != nullptr && probe->found_any())) {
    return;
  }
  std::vector<std::string> files{task.path};
  if (probe != nullptr) {
    std::ranges::copy(probe->suspects(), std::back_inserter(files));
  }
  const auto found = std::ranges::find_if(files, [this](const std::string& file) {
    const auto [known, is_new] = has_static_llama_.try_emplace(file, false);
    if (is_new) {
      known->second = contains_text(file, kLlamaText);
    }
    return known->second;
  });
  if (found != files.end()) {
    run.warn({.component = "probe",
              .code = "llama_inside",
              .message = fmt::format("{} contains llama.cpp, but not as a shared library: its "
                                     "layers and requests are not known",
                                     *found),
              .hint =
                  "A build of it with shared libraries (-DBUILD_SHARED_LIBS=ON) shows them; of a "
                  "server, enprof proxy (coming) will show the requests."});
  }
}

CommandOutcome CommandSession::perform(const CommandTask& task) {
  running_.reset();
  const std::stop_token stop = options_.signals->stop_token();
  if (const auto ready = options_.power->get_ready(); !ready) {
    return {.error = ready.error()};
  }
  const SessionPower::ForRun power =
      options_.power->measure_idle(std::exchange(is_first_, false), stop);
  if (stop.stop_requested()) {
    return {};
  }
  std::vector<Warning> warnings = power.warnings;
  const std::unique_ptr<CommandProbe> probe = open_probe(task, warnings);
  running_ = std::make_unique<Running>(power.monitor, options_.store, options_.profiler);
  if (options_.observer != nullptr) {
    options_.observer->on_begin(running_->profiler, power.monitor);
  }
  RunScope& run = running_->scope.emplace(running_->profiler.run(
      {.prompt = command_line(task.words),
       .model_name = std::filesystem::path{task.words.front()}.filename().string(),
       .tags = task.tags,
       .experiment = task.experiment,
       .depth = probe         ? *task.depth
                : task.passes ? Depth::deep
                              : Depth::minimal,
       .max_output_tokens = 1}));
  ModelFacts program;
  program.path = task.path;
  program.engine = kCommandEngine;
  run.set_model(program);
  for (const Warning& warning : warnings) {
    run.warn(warning);
  }
  if (options_.observer != nullptr) {
    options_.observer->on_start(run.id(), options_.profiler.clock->now());
  }
  if (options_.descriptors != nullptr) {
    options_.descriptors->close_others_on_exec();
  }

  options_.signals->take(kPassedOn);
  const Instant begin = options_.profiler.clock->now();
  if (probe) {
    probe->start();
  }
  const auto started =
      start_command(task.path, task.words, probe ? probe->variables() : std::vector<std::string>{});
  if (!started) {
    options_.signals->give_back(kPassedOn);
    run.abandon();
    running_.reset();
    return {.error = started.error(), .was_refused = true};
  }
  running_->tree.set_root(*started);
  if (const int early = options_.signals->ending_signal(); early != 0) {
    ::kill(*started, early);  // what a terminal sent just before did not reach it
  }
  Playing playing(task, begin, options_.live, *options_.profiler.clock);
  const CommandEnd end =
      wait_for_command(running_->tree, *options_.signals, task.limits, *options_.profiler.clock);
  options_.signals->give_back(kPassedOn);
  playing.end();
  if (probe) {
    const Instant now = options_.profiler.clock->now();
    if (auto capture = probe->stop(begin, now, run)) {
      describe(*probe, std::move(program), run);
      add_texts(*capture, run);
      run.set_capture(std::move(capture));
    }
  }
  if (options_.observer != nullptr) {
    options_.observer->on_end();
  }
  look_for_static_llama(task, probe.get(), run);

  run.set_finish_reason(describe(end));
  if (end.left > 0) {
    run.warn({.component = "exec",
              .code = "processes_left",
              .message = fmt::format(
                  "The command ended before {} that it started: what is used "
                  "after its end is not in this run",
                  end.left == 1 ? std::string{"a process"} : fmt::format("{} processes", end.left)),
              .hint = "If they are a part of the work, let the command wait for them."});
  }
  if (task.passes) {
    run.set_capture(std::make_shared<const CaptureRecording>(
        moved_to(*task.passes, begin, options_.profiler.clock->now())));
  }
  CommandOutcome outcome{.run = &run.finish(status_of(end)), .end = end};
  outcome.requests = run.take_requests();
  return outcome;
}

}  // namespace enprof
