#include "session/command_session.hpp"

#include "base/command_start.hpp"
#include "base/process_tree.hpp"
#include "base/shell_quote.hpp"
#include "model/command_engine.hpp"
#include "session/recorded_passes.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <stop_token>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

RunStatus status_of(const CommandEnd& end) {
  if (was_cancelled(end)) {
    return RunStatus::cancelled;
  }
  return exit_code_of(end) == 0 ? RunStatus::completed : RunStatus::failed;
}

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
  running_ = std::make_unique<Running>(power.monitor, options_.store, options_.profiler);
  options_.on_begin(power.monitor);
  RunScope& run = running_->scope.emplace(running_->profiler.run(
      {.prompt = command_line(task.words),
       .model_name = std::filesystem::path{task.words.front()}.filename().string(),
       .tags = task.tags,
       .experiment = task.experiment,
       .depth = task.passes ? Depth::deep : Depth::minimal,
       .max_output_tokens = 1}));
  ModelFacts program;
  program.path = task.path;
  program.engine = kCommandEngine;
  run.set_model(std::move(program));
  for (const Warning& warning : power.warnings) {
    run.warn(warning);
  }
  if (options_.descriptors != nullptr) {
    options_.descriptors->close_others_on_exec();
  }

  options_.signals->take(kPassedOn);
  const Instant begin = options_.profiler.clock->now();
  const auto started = start_command(task.path, task.words);
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
  const CommandEnd end =
      wait_for_command(running_->tree, *options_.signals, task.limits, *options_.profiler.clock);
  options_.signals->give_back(kPassedOn);

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
