// The power monitor of one `enprof run`.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// Sources that cannot be opened or started do not end the profiling: times remain, the user is
/// told on the terminal, and the run says so in a warning. Threads: one.
class RunPower {
 public:
  struct Options {
    std::string source = "auto";
    std::optional<Nanoseconds> interval{};
    SamplingPriority priority = SamplingPriority::normal;
    double baseline_s = 0.0;
    BusyMachine busy = BusyMachine::refuse;
    std::string record_to{};   ///< empty: nowhere
    bool is_required = false;  ///< what fails is an error
  };
  explicit RunPower(Options options) : options_(std::move(options)) {}

  /// Errors: invalid_argument, where there cannot be such a source; that of a recording that is to
  /// be replayed; and where power is required, any other.
  [[nodiscard]] Result<void> open(const PowerEnvironment& environment);
  /// Starts what was opened, and measures the baseline until `cancel` is set. Errors: that of the
  /// file to record to; and where power is required, any other.
  [[nodiscard]] Result<void> start(const std::atomic<bool>& cancel);

  /// Null where none is measured.
  [[nodiscard]] PowerMonitor* monitor() { return monitor_ ? &*monitor_ : nullptr; }
  /// What the run is to say.
  [[nodiscard]] const std::vector<Warning>& warnings() const { return warnings_; }

 private:
  /// Goes on without power, where that may be.
  [[nodiscard]] Result<void> do_without(const Error& error);

  Options options_;
  std::optional<PowerMonitor> monitor_;
  std::vector<Warning> warnings_;
};

}  // namespace enprof
