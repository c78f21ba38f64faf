// The options of commands that measure power: which sensors, how they are read, the idle baseline.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/power/power_monitor.hpp"

#include "cli/shared_options.hpp"
#include "session/session_power.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace enprof {

class PowerOptions {
 public:
  /// Adds them, in the group "Power".
  void declare(CLI::App& app);
  /// Errors: invalid_argument, if they contradict each other.
  [[nodiscard]] Result<void> check() const;

  /// Errors of PowerMonitor::open end the command if `is_required`, or if they are typing mistakes.
  /// This object must outlive the session.
  [[nodiscard]] SessionPower::Options session(bool is_required) const;
  [[nodiscard]] std::optional<Nanoseconds> interval() const { return interval_.interval(); }
  /// Where the readings are written to; empty: nowhere.
  [[nodiscard]] const std::string& recording() const { return record_to_; }
  [[nodiscard]] BusyMachine busy_machine() const {
    return baseline_force_ ? BusyMachine::measure : BusyMachine::refuse;
  }

 private:
  [[nodiscard]] PowerEnvironment environment() const;

  std::string source_ = "auto";
  PowerIntervalOption interval_;
  SensorAccuracyOption accuracy_;
  std::string lock_ = "on";
  double baseline_s_ = 2.0;
  bool baseline_force_ = false;
  bool realtime_ = false;
  std::optional<double> tdp_watts_;
  std::optional<double> idle_watts_;
  std::string record_to_;
};

}  // namespace enprof
