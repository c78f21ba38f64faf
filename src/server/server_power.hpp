// The power monitor of a server: opened and started, or tried again until it can be.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include "base/periodic_thread.hpp"
#include "server/server_health.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// A server without power serves: its runs have their times and say why they have no energy. What
/// could not be opened or started is tried again before each run, and while there is none, after a
/// pause that doubles from kFirstPause to kLongestPause: a right that comes back is used. The idle
/// baseline is then measured as soon as no run is under way. A sensor that `auto` may not read is
/// tried again at the same times, and once it opens, a monitor with it takes the place of the one
/// without. Else the monitor is not touched any more: it tries lost sensors again by itself.
///
/// Threads: open, start, watch and stop from one; run_begins from the one that works on runs;
/// monitor from any.
class ServerPower {
 public:
  struct Options {
    std::function<Result<PowerMonitor>()> open;
    /// Whether a source that was refused can be opened by now, by its name. Null: it cannot.
    std::function<bool(const std::string& source)> can_open{};
    std::optional<Nanoseconds> interval{};
    /// Measures the idle baseline; ends early when the flag is set. What keeps it from being
    /// measured is a warning for each run. Null: none is measured.
    std::function<std::optional<Warning>(PowerMonitor&, const std::atomic<bool>&)> baseline{};
    /// Whether no run is under way.
    std::function<bool()> is_idle = [] { return true; };
    /// Told once for each reason why there is no power or a sensor is not used, and once when
    /// there is, or it is.
    std::function<void(const std::string&)> tell = [](const std::string&) {};
    const Clock* clock = &monotonic_clock();
  };

  ServerPower(Options options, ServerHealth& health);
  ServerPower(const ServerPower&) = delete;
  ServerPower& operator=(const ServerPower&) = delete;
  ~ServerPower();  ///< as stop()

  /// Opens the sources. Error: invalid_argument, where there cannot be such a source, however often
  /// it is tried. Any other one is kept for start().
  [[nodiscard]] Result<void> open();
  /// Starts what was opened and measures the baseline, for as long as `cancel` is not set. What
  /// fails is logged as `Failed to start power monitoring`, told, and tried again.
  void start(const std::atomic<bool>& cancel);
  /// Tries again what has failed, on a thread, while there is no run.
  void watch();
  /// Ends the thread and the monitor.
  void stop();

  /// Null while none is measured. One that was given stays as long as this, stopped where a better
  /// one has taken its place.
  [[nodiscard]] PowerMonitor* monitor() const noexcept { return running_.load(); }

  struct ForRun {
    PowerMonitor* monitor = nullptr;
    std::vector<Warning> warnings;  ///< what the run is to say
  };
  /// Tries again what has failed, where it is due, and ends a baseline that is under way.
  [[nodiscard]] ForRun run_begins();

  static constexpr Nanoseconds kFirstPause = std::chrono::seconds{1};
  static constexpr Nanoseconds kLongestPause = std::chrono::seconds{60};
  static constexpr Nanoseconds kLook = std::chrono::seconds{1};

 private:
  // With mutex_ held.
  void try_again();
  void try_for_better();
  [[nodiscard]] bool is_due() const { return options_.clock->now() >= again_at_; }
  void wait_longer();
  void failed(const Error& error);
  void tell_refused() const;
  void measure_baseline(const std::atomic<bool>& cancel);
  void look();

  Options options_;
  ServerHealth& health_;
  std::atomic<PowerMonitor*> running_{nullptr};
  std::atomic<bool> cancel_{false};  // of a baseline that the thread measures

  std::mutex mutex_;  // guards what follows
  std::unique_ptr<PowerMonitor> opened_;
  // Whoever was given one may still look at it. Each had more sensors refused than the next, so
  // there are not more of them than there are kinds of sensor.
  std::vector<std::unique_ptr<PowerMonitor>> retired_;
  std::optional<Error> failure_;  // the last one; empty while power is measured
  Instant again_at_;
  Nanoseconds pause_ = kFirstPause;
  bool baseline_due_ = false;
  std::optional<Warning> baseline_warning_;

  PeriodicThread thread_;
};

}  // namespace enprof
