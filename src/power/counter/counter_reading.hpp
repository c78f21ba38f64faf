// What sources with energy counters have in common.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/sleeper.hpp"
#include "power/counter/energy_counter.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace enprof {

/// What waits on the environment's clock; null where nothing does.
[[nodiscard]] const Sleeper* waiting_sleeper_of(const PowerEnvironment& environment);
/// The same for locked readings; null where they are not to be locked.
[[nodiscard]] const Sleeper* sleeper_of(const PowerEnvironment& environment);
/// The boot clock that goes with the environment's; null where there is none.
[[nodiscard]] const Clock* boot_clock_of(const PowerEnvironment& environment);

/// Standard deviation of an instant that may be anywhere in this time.
[[nodiscard]] Nanoseconds uniform_error(Nanoseconds time);

/// Says in the poll that a reading failed, and why, unless one did before.
void keep_first_failure(Poll& poll, Error error);

/// A counter as messages tell of it.
struct CounterInWords {
  std::string_view name;        ///< its domain's
  std::string_view place;       ///< where it is
  Watts limit;                  ///< more than its domain can draw
  std::string_view stall_hint;  ///< what to do where it stalls
  Nanoseconds slept{0};         ///< how long the machine slept before the reading
};

/// Appends the window that a counter's reading ended; or tells of the energy that is not known, as
/// an incident: counter_reset, counter_jumped, counter_lapsed, counter_stalled, counter_stopped.
void append_window(const EnergyCounter::Change& change, std::size_t domain,
                   const CounterInWords& counter, Poll& poll, std::vector<EnergyWindow>& windows);

}  // namespace enprof
