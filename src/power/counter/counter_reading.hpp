// Functions that all sources with energy counters share.
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

/// The sleeper for the environment's clock; null if there is none.
[[nodiscard]] const Sleeper* waiting_sleeper_of(const PowerEnvironment& environment);
/// The same for locked readings; null if readings are not locked to steps.
[[nodiscard]] const Sleeper* sleeper_of(const PowerEnvironment& environment);
/// The boot clock that goes with the environment's; null if there is none.
[[nodiscard]] const Clock* boot_clock_of(const PowerEnvironment& environment);

/// Standard deviation of an instant that is uniformly distributed over this time.
[[nodiscard]] Nanoseconds uniform_error(Nanoseconds time);

/// Records in the poll that a reading failed, unless one failed before.
void keep_first_failure(Poll& poll, Error error);

/// A counter's description for messages.
struct CounterInWords {
  std::string_view name;        ///< that of its domain
  std::string_view place;       ///< its path or event
  Watts limit;                  ///< more than its domain can draw
  std::string_view stall_hint;  ///< what to do if it stalls
  Nanoseconds slept{0};         ///< how long the machine slept before the reading
};

/// Appends the window that a counter's reading ended. If its energy is not known, appends an
/// incident instead: counter_reset, counter_jumped, counter_lapsed, counter_stalled,
/// counter_stopped.
void append_window(const EnergyCounter::Change& change, std::size_t domain,
                   const CounterInWords& counter, Poll& poll, std::vector<EnergyWindow>& windows);

}  // namespace enprof
