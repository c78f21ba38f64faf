// One run from its order to its verdict, the same for every command and the server.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"
#include "enprof/store/profile_database.hpp"

#include "session/model_keeper.hpp"
#include "session/run_task.hpp"
#include "session/session_power.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace enprof {

/// Who wants to know how a run comes along. What it does not override is of no interest to it.
class SessionObserver {
 public:
  SessionObserver() = default;
  SessionObserver(const SessionObserver&) = delete;
  SessionObserver& operator=(const SessionObserver&) = delete;
  virtual ~SessionObserver() = default;

  /// The share of the model that is loaded, 0–1.
  virtual void on_loading(const RunTask& /*order*/, double /*share*/) {}
  /// Loading is over, well or not.
  virtual void on_load_end(const RunTask& /*order*/, const Result<void>& /*loaded*/) {}
  /// The run is about to begin: the time to listen to its profiler. `power` is null where none is
  /// measured.
  virtual void on_begin(const RunTask& /*order*/, std::size_t /*most_output_tokens*/,
                        InferencePipelineProfiler& /*profiler*/, PowerMonitor* /*power*/) {}
  /// See ProfilerOptions::on_trouble; on a thread of the profiler's.
  virtual void on_trouble(const RunTask& /*order*/, const Warning& /*warning*/) {}
};

/// How an order ended.
struct RunOutcome {
  /// Null where no run began, and none is kept. Until the session's next order.
  const ProfiledRun* run = nullptr;
  /// Whether inference began: `run` is else no more than the order, kept with its end.
  bool has_begun = false;
  /// Why it failed, or did not begin. A run that was cancelled has no error.
  std::optional<Error> error;
};

/// Does one order after the other: makes power and the model ready, measures the idle machine with
/// the model loaded, profiles the generation, names what failed, saves.
///
/// The same for all who order runs, so that their figures can be compared:
/// - Idle is measured with the model loaded and nothing to do: what is above it is the inference's.
/// - A run begins when its model is ready. It is kept however it ends; one that failed is `failed`,
///   with finish_reason `error` and a warning `generation_failed` that says why.
/// - An order that ends before anything is inferred (the model cannot be loaded, the prompt is
///   refused, it is cancelled) is kept only where who ordered it knows its run_id and may ask for
///   it: as `failed` with a warning model_not_loaded, generation_failed or run_failed, or as
///   `cancelled`.
///
/// Threads: one at a time.
class RunSession {
 public:
  struct Options {
    ProfileDatabase* store = nullptr;  ///< null: nothing is saved
    SessionPower* power = nullptr;     ///< null: none is measured
    ModelKeeper* models = nullptr;     ///< needed
    ProfilerOptions profiler{};        ///< `on_trouble` is the session's to set
    SessionObserver* observer = nullptr;
  };
  /// All that is passed outlives the session.
  explicit RunSession(Options options);
  RunSession(const RunSession&) = delete;
  RunSession& operator=(const RunSession&) = delete;
  ~RunSession();

  /// Profiles one order; ends early where a stop is requested. Nothing is thrown.
  [[nodiscard]] RunOutcome perform(RunTask order, const std::stop_token& stop);
  /// Keeps an order that is cancelled before its turn, with the reason if there is one.
  [[nodiscard]] RunOutcome cancel_before(const RunTask& order,
                                         const std::optional<Warning>& reason = std::nullopt);

 private:
  struct Running;

  [[nodiscard]] RunOutcome profile(const RunTask& order, bool is_known,
                                   const std::stop_token& stop);
  [[nodiscard]] RunOutcome end_begun(const Error& error);
  [[nodiscard]] RunOutcome end_before(const RunTask& order, bool is_known, const Error& error,
                                      const std::string& code);
  void keep(const RunTask& order, RunStatus status, const std::string& finish_reason,
            const std::optional<Warning>& warning);

  Options options_;
  SessionObserver silent_;
  std::unique_ptr<Running> running_;  // the last order's
};

}  // namespace enprof
