// The power monitor of a session: opens and starts it, and retries if that fails.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include "base/periodic_thread.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace enprof {

/// Without power a session still profiles: its runs have times and say why they have no energy. If
/// opening or starting the monitor failed, it is retried before each run and while there is no run,
/// after a pause that doubles from kFirstPause to kLongestPause, so that a permission granted later
/// is used. A sensor that `auto` may not read is retried at the same times; once it opens, a
/// monitor with it replaces the one without it. Otherwise the monitor is left unchanged: it retries
/// lost sensors itself.
///
/// Idle power is measured with the model loaded: before the first run of each model, and again when
/// no run has been active for kQuiet, if the last measurement was refused kRefusedAge ago or is
/// older than kAge.
///
/// Threads: open, watch and stop from one; get_ready and measure_idle from the one that executes
/// runs; monitor from any.
class SessionPower {
 public:
  struct Options {
    std::function<Result<PowerMonitor>()> open;
    /// Whether a refused source can be opened now, by name. Null: no.
    std::function<bool(const std::string& source)> can_open{};
    std::optional<Nanoseconds> interval{};
    SamplingPriority priority = SamplingPriority::normal;
    std::string record_to{};   ///< see PowerMonitor::record_to; empty: no recording
    bool is_required = false;  ///< failing to open or start is an error
    /// Measures the idle baseline; ends early if a stop is requested. If it cannot be measured,
    /// returns a warning for each run. Null: no baseline is measured.
    std::function<std::optional<Warning>(PowerMonitor&, const std::stop_token&)> baseline{};
    /// Whether no run is active.
    std::function<bool()> is_idle = [] { return true; };
    /// Gets a message for people: once per reason why there is no power or a sensor is not used,
    /// and once when that changes.
    std::function<void(const std::string&)> notify = [](const std::string&) {};
    /// Called after each attempt, with the error, or empty if power is measured.
    std::function<void(const std::optional<Error>&)> on_attempt = [](const auto&) {};
    const Clock* clock = &monotonic_clock();
  };

  explicit SessionPower(Options options);
  SessionPower(const SessionPower&) = delete;
  SessionPower& operator=(const SessionPower&) = delete;
  ~SessionPower();  ///< as stop()

  /// Opens the sources. Errors: invalid_argument, if such a source cannot exist; any other error
  /// only if power is required. Otherwise it is kept for get_ready().
  [[nodiscard]] Result<void> open();
  /// Starts a thread that works while there is no run: it retries what has failed and measures idle
  /// again.
  void watch();
  /// Stops the thread and the monitor.
  void stop();

  /// Null while power is not measured. A returned monitor lives as long as this object; it is
  /// stopped when a better one replaces it.
  [[nodiscard]] PowerMonitor* monitor() const noexcept { return running_.load(); }

  /// Call it before a run: ends a running idle measurement, starts what was opened, and retries
  /// what has failed if that is due. A failure is logged as `Failed to start power monitoring`,
  /// reported, and retried later. Errors: those of the recording's file; any, if power is required.
  [[nodiscard]] Result<void> get_ready();

  struct ForRun {
    PowerMonitor* monitor = nullptr;
    std::vector<Warning> warnings{};  ///< warnings for the run
  };
  /// Measures idle if that is due, until a stop is requested. `is_new_model`: the model was loaded
  /// since the last run.
  [[nodiscard]] ForRun measure_idle(bool is_new_model, const std::stop_token& stop);

  /// Idle power is measured again before the next run. Threads: as measure_idle.
  void require_new_baseline();

  static constexpr Nanoseconds kFirstPause = std::chrono::seconds{1};
  static constexpr Nanoseconds kLongestPause = std::chrono::seconds{60};
  static constexpr Nanoseconds kCheckPeriod = std::chrono::seconds{1};
  static constexpr Nanoseconds kQuiet = std::chrono::seconds{10};
  static constexpr Nanoseconds kRefusedAge = std::chrono::minutes{1};
  static constexpr Nanoseconds kAge = std::chrono::minutes{10};

 private:
  // These need mutex_.
  [[nodiscard]] Result<void> retry();
  void retry_refused_sensors();
  [[nodiscard]] bool is_due() const { return options_.clock->now() >= again_at_; }
  void lengthen_pause();
  void remember_failure(const Error& error);
  void notify_refused() const;
  void measure_now(const std::stop_token& stop);
  [[nodiscard]] bool is_baseline_old() const;

  void check();
  /// The token of a measurement that stop_measuring() may end.
  [[nodiscard]] std::stop_token new_measurement();
  void stop_measuring();

  Options options_;
  std::atomic<PowerMonitor*> running_{nullptr};

  std::mutex measuring_mutex_;
  std::stop_source measuring_;  // the measurement of thread_

  std::mutex mutex_;  // guards what follows
  std::unique_ptr<PowerMonitor> opened_;
  // Callers may still use a monitor that they got. Each had more refused sensors than the next, so
  // there are at most as many as kinds of sensors.
  std::vector<std::unique_ptr<PowerMonitor>> retired_;
  std::optional<Error> failure_;  // the last one; empty while power is measured
  Instant again_at_;
  Nanoseconds pause_ = kFirstPause;
  bool has_model_ = false;  // a model is loaded, as idle measurements need
  bool baseline_due_ = false;
  Instant measured_at_;
  std::optional<Instant> quiet_since_;
  std::optional<Warning> baseline_warning_;

  PeriodicThread thread_;
};

}  // namespace enprof
