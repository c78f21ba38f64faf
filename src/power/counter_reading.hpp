// What sources with energy counters have in common.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "power/energy_counter.hpp"
#include "power/sleeper.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// The sleeper that goes with the environment's clock; null where readings are not to be locked.
[[nodiscard]] const Sleeper* sleeper_of(const PowerEnvironment& environment);
/// The boot clock that goes with the environment's; null where there is none.
[[nodiscard]] const Clock* boot_clock_of(const PowerEnvironment& environment);

/// Standard deviation of an instant that may be anywhere in this time.
[[nodiscard]] Nanoseconds uniform_error(Nanoseconds time);

/// Notes the first reading of a poll that failed.
void note_failure(Poll& poll, Error error);

/// Appends the window that a counter's reading ended; or tells of the energy that is not known, as
/// an incident: counter_reset, counter_jumped, counter_lapsed, counter_stalled, counter_stopped.
/// `name` is the domain's, `place` where the counter is, `hint` what to do where it stalls.
void take_change(const EnergyCounter::Change& change, std::size_t domain, const std::string& name,
                 const std::string& place, const std::string& hint, Poll& poll,
                 std::vector<EnergyWindow>& windows);

}  // namespace enprof
