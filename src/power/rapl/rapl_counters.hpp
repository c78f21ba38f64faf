// Opens the RAPL counters of this machine by whichever way is allowed.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "power/counter/counter_input.hpp"
#include "power/counter/energy_counter.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

struct RaplCounter {
  Domain domain;  ///< name, kind, socket
  CounterTraits traits;
  std::unique_ptr<CounterInput> input;
  std::string place;            ///< for messages: the file, or the event and its CPU
  bool is_there = true;         ///< false while its file has yet to come
  bool is_unreadable = false;   ///< for now; then there is a fault
  std::optional<int> die_of{};  ///< the socket, if the zone is of one of its dies
  bool begins_at_zero = false;  ///< it counts from when it was opened
};

struct RaplCounters {
  std::vector<RaplCounter> counters;
  std::string way;                 ///< for people: "powercap files", "perf events"
  std::vector<Incident> faults{};  ///< PowerSource::faults()
};

/// The files of the powercap tree; or, where they are missing or not all of them may be read, perf
/// events, where those are allowed. Both show the same registers; the files tell at which value
/// they wrap, and need no IRQ where one runs on the package's first CPU.
///
/// A zone whose file is missing is used too, if another zone's is there: it may appear. So is a
/// package that cannot be read, so that the coverage shows that its energy is missing; others
/// that cannot be read are left out. Of several zones of one name, the first that is not at zero is
/// used. If a file does not say at which value its counter wraps, or a value below the counter's,
/// the counter is used without a range: if it goes back, that is a gap. Dies of one socket that
/// show one counter (find_mirrored) are counted once.
///
/// Faults: counter_unreadable, counter_range_unknown, counters_mirrored, socket_missing.
///
/// Errors: not_found; permission_denied, which names every file that may not be read, and the lines
/// that open them or the events; unavailable, where all counters stand at zero, as those of a
/// virtual machine do: files when they are opened, perf events, which begin there, for
/// kRaplFirstStepWithin.
[[nodiscard]] Result<RaplCounters> open_rapl_counters(const PowerEnvironment& environment);

/// The code of the fault that a counter cannot be read; its message begins with the domain's name.
inline constexpr const char* kCounterUnreadable = "counter_unreadable";

/// Real counters step once a millisecond, however idle the machine is.
inline constexpr Nanoseconds kRaplFirstStepWithin = std::chrono::milliseconds{50};

/// More than a domain draws: the largest sockets of today take 500 W. The same is taken for what
/// lies in a socket and for its memory.
inline constexpr Watts kRaplSocketLimit{2'000};
/// More than a machine with several sockets draws.
inline constexpr Watts kRaplPlatformLimit{10'000};
/// A counter that always draws stands still no longer than a step's time, except where something
/// is wrong.
inline constexpr Nanoseconds kRaplStallAfter = std::chrono::milliseconds{200};
/// The kernel adds differences of the 32-bit register up to a perf event's 64 bits, and takes them
/// for signed ones: half of the register, of which a count is 2^-16 J at least.
inline constexpr Joules kRaplPerfReach{32'768};

}  // namespace enprof
