// The power monitor of a session: opened and started, or tried again until it can be.
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

/// A session without power profiles: its runs have their times and say why they have no energy.
/// What could not be opened or started is tried again before each run, and while there is none,
/// after a pause that doubles from kFirstPause to kLongestPause: a right that comes back is used. A
/// sensor that `auto` may not read is tried again at the same times, and once it opens, a monitor
/// with it takes the place of the one without. Else the monitor is not touched any more: it tries
/// lost sensors again by itself.
///
/// Idle is measured with the model loaded and nothing to do: before the first run of each model,
/// and again while no run has been under way for kQuiet, where the last measurement was refused
/// kRefusedAge ago or is older than kAge.
///
/// Threads: open, watch and stop from one; get_ready and measure_idle from the one that works on
/// runs; monitor from any.
class SessionPower {
 public:
  struct Options {
    std::function<Result<PowerMonitor>()> open;
    /// Whether a source that was refused can be opened by now, by its name. Null: it cannot.
    std::function<bool(const std::string& source)> can_open{};
    std::optional<Nanoseconds> interval{};
    SamplingPriority priority = SamplingPriority::normal;
    std::string record_to{};   ///< see PowerMonitor::record_to; empty: nowhere
    bool is_required = false;  ///< what cannot be opened or started is an error
    /// Measures the idle baseline; ends early where a stop is requested. What keeps it from being
    /// measured is a warning for each run. Null: none is measured.
    std::function<std::optional<Warning>(PowerMonitor&, const std::stop_token&)> baseline{};
    /// Whether no run is under way.
    std::function<bool()> is_idle = [] { return true; };
    /// Told once for each reason why there is no power or a sensor is not used, and once when
    /// there is, or it is. For people.
    std::function<void(const std::string&)> tell = [](const std::string&) {};
    /// Told of each attempt: why it failed, or nothing where power is measured.
    std::function<void(const std::optional<Error>&)> on_attempt = [](const auto&) {};
    const Clock* clock = &monotonic_clock();
  };

  explicit SessionPower(Options options);
  SessionPower(const SessionPower&) = delete;
  SessionPower& operator=(const SessionPower&) = delete;
  ~SessionPower();  ///< as stop()

  /// Opens the sources. Errors: invalid_argument, where there cannot be such a source, however
  /// often it is tried; any other one where power is required, and else it is kept for get_ready().
  [[nodiscard]] Result<void> open();
  /// Looks after it on a thread while there is no run: tries again what has failed, measures idle
  /// again.
  void watch();
  /// Ends the thread and the monitor.
  void stop();

  /// Null while none is measured. One that was given stays as long as this, stopped where a better
  /// one has taken its place.
  [[nodiscard]] PowerMonitor* monitor() const noexcept { return running_.load(); }

  /// Before a run: ends a measurement of idle that is under way, starts what was opened, and tries
  /// again what has failed, where it is due. What fails is logged as `Failed to start power
  /// monitoring`, told, and tried again later. Errors: of the file to record to; where power is
  /// required, any.
  [[nodiscard]] Result<void> get_ready();

  struct ForRun {
    PowerMonitor* monitor = nullptr;
    std::vector<Warning> warnings{};  ///< what the run is to say
  };
  /// Measures idle where that is due, for as long as no stop is requested. `is_new_model`: the
  /// model was loaded since the last run.
  [[nodiscard]] ForRun measure_idle(bool is_new_model, const std::stop_token& stop);

  static constexpr Nanoseconds kFirstPause = std::chrono::seconds{1};
  static constexpr Nanoseconds kLongestPause = std::chrono::seconds{60};
  static constexpr Nanoseconds kLook = std::chrono::seconds{1};
  static constexpr Nanoseconds kQuiet = std::chrono::seconds{10};
  static constexpr Nanoseconds kRefusedAge = std::chrono::minutes{1};
  static constexpr Nanoseconds kAge = std::chrono::minutes{10};

 private:
  // With mutex_ held.
  [[nodiscard]] Result<void> try_again();
  void try_for_better();
  [[nodiscard]] bool is_due() const { return options_.clock->now() >= again_at_; }
  void wait_longer();
  void remember_failure(const Error& error);
  void tell_refused() const;
  void measure_now(const std::stop_token& stop);
  [[nodiscard]] bool is_baseline_old() const;

  void look();
  /// The token of a measurement that may be ended by stop_measuring().
  [[nodiscard]] std::stop_token new_measurement();
  void stop_measuring();

  Options options_;
  std::atomic<PowerMonitor*> running_{nullptr};

  std::mutex measuring_mutex_;
  std::stop_source measuring_;  // by the thread

  std::mutex mutex_;  // guards what follows
  std::unique_ptr<PowerMonitor> opened_;
  // Whoever was given one may still look at it. Each had more sensors refused than the next, so
  // there are not more of them than there are kinds of sensor.
  std::vector<std::unique_ptr<PowerMonitor>> retired_;
  std::optional<Error> failure_;  // the last one; empty while power is measured
  Instant again_at_;
  Nanoseconds pause_ = kFirstPause;
  bool has_model_ = false;  // one is loaded: idle means with it
  bool baseline_due_ = false;
  Instant measured_at_;
  std::optional<Instant> quiet_since_;
  std::optional<Warning> baseline_warning_;

  PeriodicThread thread_;
};

}  // namespace enprof
