// Removes standstills of the program from the measurements of a run, and warns of them.
#pragma once

#include "enprof/model/energy_window.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include "base/cpu_times.hpp"
#include "base/standstill_watch.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// Removes standstills from windows, because energy that a sensor measured during one is not the
/// run's. A window is left out if more than a tenth of it lies in standstills, because the division
/// of its energy is unknown. Of any other window the parts outside standstills keep its power.
/// Windows of one domain must not overlap.
[[nodiscard]] WindowsByDomain without_standstills(WindowsByDomain windows,
                                                  const std::vector<Standstill>& standstills);

/// Subtracts from CPU samples the CPU time that other processes used during standstills.
void leave_out_others(std::vector<CpuSample>& samples, const std::vector<Standstill>& standstills);

/// The monitor's warnings since an instant; without rate_deviation if there were standstills, which
/// cause it.
[[nodiscard]] std::vector<Warning> warnings_of_power(const PowerMonitor& monitor, Instant since,
                                                     const std::vector<Standstill>& standstills);

/// The warning stood_still of a run from `begin` to `end`; empty if the program ran all the time.
/// `tokens`: the numbers of the tokens during which it stood still.
[[nodiscard]] std::optional<Warning> standstill_warning(const std::vector<Standstill>& standstills,
                                                        Instant begin, Instant end,
                                                        std::span<const std::size_t> tokens = {});

}  // namespace enprof
