#include "server/run_worker.hpp"

#include "base/last_words.hpp"
#include "base/log.hpp"
#include "profile/run_attempt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"server"};
/// Between two looks at what a run's energy went into so far.
constexpr std::chrono::milliseconds kSettlePeriod{250};
/// Between two tellings of how far a model is loaded.
constexpr double kLoadingStep = 0.05;

RunRequest request_of(const RunTask& task, std::size_t most_output_tokens) {
  return {.run_id = task.run_id,
          .prompt = task.prompt,
          .model_name = task.model,
          .tags = task.tags,
          .experiment = task.experiment,
          .depth = task.depth,
          .max_output_tokens = most_output_tokens};
}

Warning server_stopped() {
  return {.component = "server",
          .code = "server_stopped",
          .message = "The server was stopped before the run's turn came: nothing was inferred",
          .hint = "Start it again, and ask for the run again: POST /api/profiling/generate"};
}

}  // namespace

void RunWorker::work(const RunTask& task, const std::atomic<bool>& cancel) {
  try {
    const auto attempt = RunAttempt::begin(parts_.store.path(), request_of(task, 0));
    if (!attempt) {
      kLog.warning("{}", attempt.error().message);
    }
    const Undertaking undertaking(task.model, task.run_id, attempt ? attempt->descriptor() : -1);
    profile(task, cancel);
  } catch (const std::exception& error) {
    end_failed(task,
               {ErrorCode::internal, fmt::format("Run {} ended: {}", task.run_id, error.what()),
                "Look at the server's log; GET /api/health says what works."},
               "run_failed");
  }
}

void RunWorker::profile(const RunTask& task, const std::atomic<bool>& cancel) {
  const ServerPower::ForRun power =
      parts_.power != nullptr ? parts_.power->run_begins() : ServerPower::ForRun{};
  const auto loaded = parts_.engine.load(task, cancel, [&, last = -1.0](double share) mutable {
    if (share - last >= kLoadingStep || share >= 1.0) {
      last = share;
      parts_.publisher.model_loading(task.run_id, task.model, share);
    }
  });
  if (!loaded && cancel.load()) {
    drop(task, RunQueue::Reason::cancelled);
    return;
  }
  if (!loaded) {
    parts_.health.failed("engine", loaded.error());
    end_failed(task, loaded.error(), "model_not_loaded");
    return;
  }
  parts_.health.ok("engine");

  const Instant begun = monotonic_clock().now();
  const auto warn = [&](const Warning& warning) {
    parts_.publisher.warn(task.run_id, monotonic_clock().now() - begun, warning);
  };
  InferencePipelineProfiler profiler{power.monitor,
                                     &parts_.store,
                                     {.settle_period = kSettlePeriod,
                                      .is_watched = parts_.is_watched,
                                      .wants_operations = parts_.wants_operations,
                                      .on_trouble = [&](const Warning& warning) {
                                        warn(warning);
                                        parts_.metrics.count_error(warning.component, warning.code);
                                      }}};
  // It may outlive this call: nothing of it is referred to.
  profiler.on([this, begun, run_id = task.run_id, monitor = power.monitor](const Event& event) {
    parts_.publisher.publish(event);
    if (event.type == EventType::power_sample) {  // a sensor that fails is told while it matters
      for (const Warning& warning : monitor->warnings(begun)) {
        parts_.publisher.warn(run_id, monotonic_clock().now() - begun, warning);
      }
    }
  });
  RunScope run = profiler.run(request_of(task, parts_.engine.most_output_tokens(task)));
  for (const Warning& warning : power.warnings) {
    run.warn(warning);
  }
  const auto generated = parts_.engine.generate(run, task, cancel);
  const RunStatus status = cancel.load() ? RunStatus::cancelled
                           : generated   ? RunStatus::completed
                                         : RunStatus::failed;
  if (status == RunStatus::failed) {
    kLog.error("Run {} failed: {}", task.run_id, generated.error().message);
    run.set_finish_reason("error");
    run.warn({"engine", "generation_failed", generated.error().message, generated.error().hint});
  }
  const ProfiledRun& result = run.finish(status);
  if (status == RunStatus::failed) {
    parts_.publisher.failed(task.run_id, generated.error());
  }
  parts_.publisher.settle(result);
  parts_.metrics.count(result);
}

void RunWorker::drop(const RunTask& task, RunQueue::Reason reason) {
  const bool is_stopping = reason == RunQueue::Reason::stopping;
  keep(task, RunStatus::cancelled, "cancelled",
       is_stopping ? std::optional(server_stopped()) : std::nullopt);
  parts_.publisher.publish({.type = EventType::inference_complete,
                            .run_id = task.run_id,
                            .status = RunStatus::cancelled});
}

void RunWorker::end_failed(const RunTask& task, const Error& error, const std::string& code) {
  kLog.error("Run {} failed: {}", task.run_id, error.message);
  keep(task, RunStatus::failed, "error", Warning{"engine", code, error.message, error.hint});
  parts_.publisher.failed(task.run_id, error);
}

/// A run that did not begin is kept all the same: its client was given an id, and need not wonder
/// where the run went.
void RunWorker::keep(const RunTask& task, RunStatus status, const std::string& finish_reason,
                     const std::optional<Warning>& warning) {
  try {
    if (const auto there = parts_.store.summary(task.run_id); there && *there) {
      return;  // it had begun, and was saved when its scope ended
    }
    InferencePipelineProfiler profiler{nullptr, &parts_.store};
    RunScope run = profiler.run(request_of(task, 1));
    run.set_finish_reason(finish_reason);
    if (warning) {
      run.warn(*warning);
    }
    parts_.metrics.count(run.finish(status));
  } catch (const std::exception& error) {
    // Its watchers are told of its end in any case.
    kLog.error("Run {} could not be kept: {}", task.run_id, error.what());
  }
}

}  // namespace enprof
