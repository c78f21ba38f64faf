// Executes what clients have requested: each task is a run, from loading the model to the last
// event.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/store/profile_database.hpp"

#include "server/live_publisher.hpp"
#include "server/run_queue.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"
#include "session/model_keeper.hpp"
#include "session/run_session.hpp"
#include "session/run_task.hpp"
#include "session/session_power.hpp"

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

namespace enprof {

/// Profiles tasks and reports them to watchers, metrics and health. However a run ends, it is
/// stored under the id that its client was given, and its watchers get an event of its end:
/// inference_complete, or error if it failed. Threads: work() on one, drop() on any.
class RunWorker final : private SessionObserver {
 public:
  /// The parts that it uses; all must outlive it.
  struct Parts {
    ModelKeeper& models;
    ProfileDatabase& store;
    LivePublisher& publisher;
    ServerMetrics& metrics;
    ServerHealth& health;
    SessionPower* power = nullptr;  ///< null: none is measured
    /// What runs are timed by, as `power` has it.
    const Clock* clock = &monotonic_clock();
    /// Whether a client watches. Null: no client ever does.
    std::function<bool()> is_watched{};
    /// Where what disturbs a run is looked for.
    std::filesystem::path procfs_root = "/proc";
    std::filesystem::path sysfs_root = "/sys";
    /// See RunSession::Options. Null: components are not calibrated.
    RunSession::FindCalibration calibration{};
    /// See ProfilerOptions::programs_cpu_time. Null: this process runs the engine.
    std::function<Nanoseconds()> engine_cpu_time{};
    /// Whether a watcher has subscribed to operation_metrics.
    std::function<bool()> wants_operations{};
  };

  explicit RunWorker(Parts parts);

  /// Profiles one task; its run_id is the one that the client was given. Errors are sent to the
  /// watchers; nothing is thrown.
  void work(const RunTask& task, const std::stop_token& stop);
  /// Ends a task whose run has not begun.
  void drop(const RunTask& task, RunQueue::Reason reason);

 private:
  void on_loading(const RunTask& task, double share) override;
  void on_load_end(const RunTask& task, const Result<void>& loaded) override;
  void on_begin(const RunTask& task, std::size_t most_output_tokens,
                InferencePipelineProfiler& profiler, PowerMonitor* power) override;
  void on_trouble(const RunTask& task, const Warning& warning) override;
  void publish_cancelled(const std::string& run_id);

  Parts parts_;
  RunSession session_;
  double published_share_ = -1.0;  // of the model that is being loaded
  Instant begun_;                  // of the present run
};

}  // namespace enprof
