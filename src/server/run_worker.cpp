#include "server/run_worker.hpp"

#include "server/publish_run.hpp"

#include <chrono>
#include <utility>

namespace enprof {
namespace {

/// The period of energy_settled and of the sums so far.
constexpr std::chrono::milliseconds kSettlePeriod{250};
/// The smallest progress of loading a model that is published.
constexpr double kLoadingStep = 0.05;

Warning server_stopped() {
  return {.component = "server",
          .code = "server_stopped",
          .message = "The server was stopped before the run started: nothing was inferred",
          .hint = "Start the server again and request the run again: POST /api/profiling/generate"};
}

}  // namespace

RunWorker::RunWorker(Parts parts)
    : parts_(std::move(parts)),
      session_({.store = &parts_.store,
                .power = parts_.power,
                .models = &parts_.models,
                .profiler = {.clock = parts_.clock,
                             .settle_period = kSettlePeriod,
                             .is_watched = parts_.is_watched,
                             .procfs_root = parts_.procfs_root,
                             .sysfs_root = parts_.sysfs_root,
                             .wants_operations = parts_.wants_operations,
                             .programs_cpu_time = parts_.engine_cpu_time},
                .calibration = parts_.calibration,
                .observer = this}) {}

void RunWorker::work(const RunTask& task, const std::stop_token& stop) {
  published_share_ = -1.0;
  const RunOutcome outcome = session_.perform(task, stop);
  if (outcome.error) {
    parts_.publisher.publish_failure(task.run_id, *outcome.error);
  } else if (!outcome.has_begun) {
    publish_cancelled(task.run_id);
  }
  if (outcome.run != nullptr) {
    if (outcome.has_begun) {
      parts_.publisher.publish_figures(*outcome.run);
    }
    parts_.metrics.count(*outcome.run);
  }
}

void RunWorker::drop(const RunTask& task, RunQueue::Reason reason) {
  // A separate session: another task may be running in session_.
  RunSession session({.store = &parts_.store, .profiler = {.clock = parts_.clock}});
  if (const RunOutcome outcome = session.cancel_before(task, reason == RunQueue::Reason::stopping
                                                                 ? std::optional(server_stopped())
                                                                 : std::nullopt);
      outcome.run != nullptr) {
    parts_.metrics.count(*outcome.run);
  }
  publish_cancelled(task.run_id);
}

void RunWorker::publish_cancelled(const std::string& run_id) {
  parts_.publisher.publish(
      {.run_id = run_id, .data = events::InferenceComplete{.status = RunStatus::cancelled}});
}

void RunWorker::on_loading(const RunTask& task, double share) {
  if (share - published_share_ >= kLoadingStep || share >= 1.0) {
    published_share_ = share;
    parts_.publisher.publish_loading(task.run_id, task.model, share);
  }
}

void RunWorker::on_load_end(const RunTask& /*task*/, const Result<void>& loaded) {
  if (loaded) {
    parts_.health.ok("engine");
  } else if (loaded.error().code != ErrorCode::cancelled) {
    parts_.health.failed("engine", loaded.error());
  }
}

void RunWorker::on_begin(const RunTask& /*task*/, std::size_t /*most_output_tokens*/,
                         InferencePipelineProfiler& profiler, PowerMonitor* power) {
  begun_ = parts_.clock->now();
  publish_run(profiler, power, parts_.publisher, *parts_.clock);
}

void RunWorker::on_trouble(const RunTask& task, const Warning& warning) {
  parts_.publisher.publish_warning(task.run_id, parts_.clock->now() - begun_, warning);
  parts_.metrics.count_error(warning.component, warning.code);
}

}  // namespace enprof
