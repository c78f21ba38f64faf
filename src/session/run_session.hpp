// One run from the task to its outcome, the same for every command and the server.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"
#include "enprof/store/profile_database.hpp"

#include "session/model_keeper.hpp"
#include "session/run_task.hpp"
#include "session/session_power.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace enprof {

/// Observes the progress of a run. Overrides only what it needs.
class SessionObserver {
 public:
  SessionObserver() = default;
  SessionObserver(const SessionObserver&) = delete;
  SessionObserver& operator=(const SessionObserver&) = delete;
  virtual ~SessionObserver() = default;

  /// The share of the model that is loaded, 0–1.
  virtual void on_loading(const RunTask& /*task*/, double /*share*/) {}
  /// Loading has ended, with or without success.
  virtual void on_load_end(const RunTask& /*task*/, const Result<void>& /*loaded*/) {}
  /// The run is about to begin: subscribe to its profiler now. `power` is null if power is not
  /// measured.
  virtual void on_begin(const RunTask& /*task*/, std::size_t /*most_output_tokens*/,
                        InferencePipelineProfiler& /*profiler*/, PowerMonitor* /*power*/) {}
  /// See ProfilerOptions::on_trouble; called on a thread of the profiler.
  virtual void on_trouble(const RunTask& /*task*/, const Warning& /*warning*/) {}
};

/// How a task ended.
struct RunOutcome {
  /// Null if no run began and none was kept. Valid until the session's next task.
  const ProfiledRun* run = nullptr;
  /// Whether inference began. If not, `run` contains only the task and its end.
  bool has_begun = false;
  /// Why it failed or did not begin. Empty for a cancelled run.
  std::optional<Error> error;
};

/// Executes one task after the other: prepares power and the model, measures idle power with the
/// model loaded, profiles the generation, records what failed, and saves.
///
/// The same for every command and the server, so that their figures can be compared:
/// - Idle power is measured with the model loaded: what is above idle is the inference.
/// - A run begins when its model is ready, and is kept however it ends. A failed run has status
///   `failed`, finish_reason `error` and a warning `generation_failed` with the reason.
/// - A task that ends before inference begins (the model cannot be loaded, the prompt is refused,
///   it is cancelled) is kept only if the caller chose its run_id and so may ask for it: as
///   `failed` with a warning model_not_loaded, generation_failed or run_failed, or as `cancelled`.
///
/// Threads: one at a time.
class RunSession {
 public:
  using FindCalibration = std::function<std::shared_ptr<const Calibration>(
      LoadedModel& model, const RunTask& task, PowerMonitor& power, const std::stop_token& stop)>;
  struct Options {
    ProfileDatabase* store = nullptr;  ///< null: nothing is saved
    SessionPower* power = nullptr;     ///< null: power is not measured
    ModelKeeper* models = nullptr;     ///< required
    ProfilerOptions profiler{};        ///< `on_trouble` and `calibration` are set by the session
    /// What is known of the power of the model's components, or how to find it: called when the
    /// model is loaded and idle power is measured, unless the task's depth has no components. Null:
    /// nothing is known.
    FindCalibration calibration{};
    SessionObserver* observer = nullptr;
  };
  /// Everything passed must outlive the session.
  explicit RunSession(Options options);
  RunSession(const RunSession&) = delete;
  RunSession& operator=(const RunSession&) = delete;
  ~RunSession();

  /// Profiles one task; ends early if a stop is requested. Does not throw.
  [[nodiscard]] RunOutcome perform(RunTask task, const std::stop_token& stop);
  /// Keeps a task that was cancelled before it started, with the reason if there is one.
  [[nodiscard]] RunOutcome cancel_before(const RunTask& task,
                                         const std::optional<Warning>& reason = std::nullopt);

 private:
  struct Running;

  [[nodiscard]] RunOutcome profile(const RunTask& task, bool is_known, const std::stop_token& stop);
  [[nodiscard]] RunOutcome end_begun(const Error& error);
  [[nodiscard]] RunOutcome end_before(const RunTask& task, bool is_known, const Error& error,
                                      const std::string& code);
  void keep(const RunTask& task, RunStatus status, const std::string& finish_reason,
            const std::optional<Warning>& warning);

  Options options_;
  SessionObserver silent_;
  std::unique_ptr<Running> running_;  // of the last task
};

}  // namespace enprof
