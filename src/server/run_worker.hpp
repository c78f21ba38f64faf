// Does what clients have ordered: a run each, from the model to the last event.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "server/live_publisher.hpp"
#include "server/run_queue.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"
#include "session/model_keeper.hpp"
#include "session/run_session.hpp"
#include "session/run_task.hpp"
#include "session/session_power.hpp"

#include <functional>
#include <stop_token>
#include <string>

namespace enprof {

/// Profiles orders, and tells watchers, metrics and health of them. However a run ends, it is in
/// the database under the id that its client was given, and its watchers hear of its end:
/// inference_complete, or error where it failed. Threads: work() on one, drop() on any.
class RunWorker final : private SessionObserver {
 public:
  /// What it works with; all of it outlives it.
  struct Parts {
    ModelKeeper& models;
    ProfileDatabase& store;
    LivePublisher& publisher;
    ServerMetrics& metrics;
    ServerHealth& health;
    SessionPower* power = nullptr;  ///< null: none is measured
    /// Whether anybody watches. Null: nobody does.
    std::function<bool()> is_watched{};
    /// Whether a watcher has asked for operation_metrics.
    std::function<bool()> wants_operations{};
  };

  explicit RunWorker(Parts parts);

  /// Profiles one order, whose run_id is its client's. What goes wrong is told to the watchers;
  /// nothing is thrown.
  void work(const RunTask& order, const std::stop_token& stop);
  /// Ends an order whose run has not begun.
  void drop(const RunTask& order, RunQueue::Reason reason);

 private:
  void on_loading(const RunTask& order, double share) override;
  void on_load_end(const RunTask& order, const Result<void>& loaded) override;
  void on_begin(const RunTask& order, std::size_t most_output_tokens,
                InferencePipelineProfiler& profiler, PowerMonitor* power) override;
  void on_trouble(const RunTask& order, const Warning& warning) override;
  void tell_cancelled(const std::string& run_id);

  Parts parts_;
  RunSession session_;
  double told_share_ = -1.0;  // of the model that is being loaded
  Instant begun_;             // the present run
};

}  // namespace enprof
