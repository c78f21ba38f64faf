// What becomes of a run in which the program stood still.
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

/// What a sensor measured meanwhile was no work of the run. Windows, of which one domain's do not
/// overlap, lose what lies in a standstill. One that lies in it with more than a tenth is left out
/// as a whole: how much of its energy belongs to either part is not known. Of any other one the
/// rest keeps its power.
[[nodiscard]] std::vector<EnergyWindow> without_standstills(
    std::vector<EnergyWindow> windows, const std::vector<Standstill>& standstills);

/// Takes what other processes did meanwhile out of samples of CPU times.
void leave_out_others(std::vector<CpuSample>& samples, const std::vector<Standstill>& standstills);

/// What the monitor has to say since an instant, without what only the standstills are to blame
/// for.
[[nodiscard]] std::vector<Warning> warnings_of_power(const PowerMonitor& monitor, Instant since,
                                                     const std::vector<Standstill>& standstills);

/// What a run from `begin` to `end` says of it; empty where the program ran all the time. Code:
/// stood_still. `tokens` are those that it fell into, by number.
[[nodiscard]] std::optional<Warning> standstill_warning(const std::vector<Standstill>& standstills,
                                                        Instant begin, Instant end,
                                                        std::span<const std::size_t> tokens = {});

}  // namespace enprof
