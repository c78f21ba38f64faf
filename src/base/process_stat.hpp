// What Linux tells of a process in /proc/PID/stat.
#pragma once

#include "enprof/base/units.hpp"

#include <optional>
#include <string_view>
#include <sys/types.h>

namespace enprof {

struct ProcessStat {
  char state = '?';  ///< R, S, D, T, Z (it has ended, but its parent has not looked), …
  pid_t parent = 0;
  Nanoseconds cpu{0};         ///< CPU time of its threads, in ticks
  Nanoseconds reaped_cpu{0};  ///< of its children that have ended, and of theirs

  friend bool operator==(const ProcessStat&, const ProcessStat&) = default;
};

/// Reads the text of the file: proc_pid_stat(5). Empty if it is something else. A time of more than
/// a century on ten thousand CPUs is not a time: some sandboxes show -1 as an unsigned number.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);

}  // namespace enprof
