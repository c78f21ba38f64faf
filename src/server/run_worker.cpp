#include "server/run_worker.hpp"

#include <chrono>
#include <utility>

namespace enprof {
namespace {

/// Between two looks at what a run's energy went into so far.
constexpr std::chrono::milliseconds kSettlePeriod{250};
/// Between two tellings of how far a model is loaded.
constexpr double kLoadingStep = 0.05;

Warning server_stopped() {
  return {.component = "server",
          .code = "server_stopped",
          .message = "The server was stopped before the run's turn came: nothing was inferred",
          .hint = "Start it again, and ask for the run again: POST /api/profiling/generate"};
}

}  // namespace

RunWorker::RunWorker(Parts parts)
    : parts_(std::move(parts)),
      session_({.store = &parts_.store,
                .power = parts_.power,
                .models = &parts_.models,
                .profiler = {.settle_period = kSettlePeriod,
                             .is_watched = parts_.is_watched,
                             .wants_operations = parts_.wants_operations},
                .observer = this}) {}

void RunWorker::work(const RunTask& order, const std::stop_token& stop) {
  told_share_ = -1.0;
  const RunOutcome outcome = session_.perform(order, stop);
  if (outcome.error) {
    parts_.publisher.failed(order.run_id, *outcome.error);
  } else if (!outcome.has_begun) {
    tell_cancelled(order.run_id);
  }
  if (outcome.run != nullptr) {
    if (outcome.has_begun) {
      parts_.publisher.settle(*outcome.run);
    }
    parts_.metrics.count(*outcome.run);
  }
}

void RunWorker::drop(const RunTask& order, RunQueue::Reason reason) {
  // Another order may be under way in the session.
  RunSession session({.store = &parts_.store});
  if (const RunOutcome outcome = session.cancel_before(order, reason == RunQueue::Reason::stopping
                                                                  ? std::optional(server_stopped())
                                                                  : std::nullopt);
      outcome.run != nullptr) {
    parts_.metrics.count(*outcome.run);
  }
  tell_cancelled(order.run_id);
}

void RunWorker::tell_cancelled(const std::string& run_id) {
  parts_.publisher.publish(
      {.run_id = run_id, .data = events::InferenceComplete{.status = RunStatus::cancelled}});
}

void RunWorker::on_loading(const RunTask& order, double share) {
  if (share - told_share_ >= kLoadingStep || share >= 1.0) {
    told_share_ = share;
    parts_.publisher.model_loading(order.run_id, order.model, share);
  }
}

void RunWorker::on_load_end(const RunTask& /*order*/, const Result<void>& loaded) {
  if (loaded) {
    parts_.health.ok("engine");
  } else if (loaded.error().code != ErrorCode::cancelled) {
    parts_.health.failed("engine", loaded.error());
  }
}

void RunWorker::on_begin(const RunTask& order, std::size_t /*most_output_tokens*/,
                         InferencePipelineProfiler& profiler, PowerMonitor* power) {
  begun_ = monotonic_clock().now();
  // The listener may outlive the run: it refers to nothing of the order.
  profiler.on([this, begun = begun_, run_id = order.run_id, power](const Event& event) {
    parts_.publisher.publish(event);
    // A sensor that fails is told while it matters.
    if (event.get_if<events::PowerSample>() != nullptr) {
      for (const Warning& warning : power->warnings(begun)) {
        parts_.publisher.warn(run_id, monotonic_clock().now() - begun, warning);
      }
    }
  });
}

void RunWorker::on_trouble(const RunTask& order, const Warning& warning) {
  parts_.publisher.warn(order.run_id, monotonic_clock().now() - begun_, warning);
  parts_.metrics.count_error(warning.component, warning.code);
}

}  // namespace enprof
