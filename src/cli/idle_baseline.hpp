// The idle measurement of commands.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include <optional>
#include <stop_token>

namespace enprof {

/// Measures for this many seconds and shows it on the terminal; does nothing if `seconds` is 0 or
/// there is no sensor. Ends early if a stop is requested. Logs what went wrong, and returns it as a
/// warning for each run: baseline_refused, if the machine is busy; baseline_forced, if it was
/// measured although the machine was busy; else baseline_failed.
[[nodiscard]] std::optional<Warning> measure_baseline(PowerMonitor& monitor, double seconds,
                                                      const std::stop_token& stop,
                                                      BusyMachine busy = BusyMachine::refuse);

}  // namespace enprof
