// Opens the RAPL counters of this machine by whichever way is allowed.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/power/power_monitor.hpp"

#include "power/counter/counter_input.hpp"
#include "power/counter/energy_counter.hpp"

#include <memory>
#include <string>
#include <vector>

namespace enprof {

struct RaplCounter {
  Domain domain;  ///< name, kind, socket
  CounterTraits traits;
  std::unique_ptr<CounterInput> input;
  std::string place;     ///< for messages: the file, or the event and its CPU
  bool is_there = true;  ///< false while its file has yet to come
};

struct RaplCounters {
  std::vector<RaplCounter> counters;
  std::string way;  ///< for people: "powercap files", "perf events"
};

/// The files of the powercap tree; or, where they are missing or not all of them may be read, perf
/// events, where those are allowed. Both show the same registers; the files say at which value they
/// wrap, and need no IRQ where one runs on the package's first CPU.
///
/// A zone whose file is missing is taken too, if another's is there: it may come. One that holds no
/// number is left out, with a line in the log.
///
/// Errors: not_found; permission_denied, which names every file that may not be read, and the lines
/// that open them or the events; unavailable, where all counters stand at zero, as those of a
/// virtual machine do: files when they are opened, perf events, which begin there, for
/// kRaplFirstStepWithin.
[[nodiscard]] Result<RaplCounters> open_rapl_counters(const PowerEnvironment& environment);

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
