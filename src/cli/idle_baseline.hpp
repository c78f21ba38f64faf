// The idle measurement before runs, as commands make it.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include <atomic>
#include <optional>

namespace enprof {

/// Measures for so many seconds and shows it on the terminal; 0, or no sensor: not at all. `cancel`
/// ends it early when set. What keeps it from being measured is logged, and is a warning for each
/// run that lacks it: baseline_refused, where the machine is busy; else baseline_failed.
[[nodiscard]] std::optional<Warning> measure_baseline(PowerMonitor& monitor, double seconds,
                                                      const std::atomic<bool>& cancel,
                                                      BusyMachine busy = BusyMachine::refuse);

}  // namespace enprof
