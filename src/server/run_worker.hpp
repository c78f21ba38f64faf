// Does what clients have ordered: a run each, from the model to the last event.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "server/live_publisher.hpp"
#include "server/run_engine.hpp"
#include "server/run_queue.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"
#include "server/server_power.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <string>

namespace enprof {

/// Profiles orders, and tells watchers, metrics and health of them. However a run ends, it is in
/// the database under the id that its client was given, and its watchers hear of its end:
/// inference_complete, or error where it failed. Threads: work() on one, drop() on any.
class RunWorker {
 public:
  /// What it works with; all of it outlives it.
  struct Parts {
    RunEngine& engine;
    ProfileDatabase& store;
    LivePublisher& publisher;
    ServerMetrics& metrics;
    ServerHealth& health;
    ServerPower* power = nullptr;  ///< null: none is measured
    /// Whether anybody watches. Null: nobody does.
    std::function<bool()> is_watched{};
    /// Whether a watcher has asked for operation_metrics.
    std::function<bool()> wants_operations{};
  };

  explicit RunWorker(Parts parts) : parts_(std::move(parts)) {}

  /// Profiles one order. What goes wrong is told to the watchers; nothing is thrown.
  void work(const RunTask& task, const std::atomic<bool>& cancel);
  /// Ends an order whose run has not begun.
  void drop(const RunTask& task, RunQueue::Reason reason);

 private:
  void profile(const RunTask& task, const std::atomic<bool>& cancel);
  void end_failed(const RunTask& task, const Error& error, const std::string& code);
  void keep(const RunTask& task, RunStatus status, const std::string& finish_reason,
            const std::optional<Warning>& warning);

  Parts parts_;
};

}  // namespace enprof
