// The idle measurement before runs, as commands make it.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include <optional>
#include <stop_token>

namespace enprof {

/// Measures for so many seconds and shows it on the terminal; 0, or no sensor: not at all. It ends
/// early where a stop is requested. What keeps it from being measured is logged, and is a warning
/// for each run that lacks it: baseline_refused, where the machine is busy; else baseline_failed.
[[nodiscard]] std::optional<Warning> measure_baseline(PowerMonitor& monitor, double seconds,
                                                      const std::stop_token& stop,
                                                      BusyMachine busy = BusyMachine::refuse);

}  // namespace enprof
