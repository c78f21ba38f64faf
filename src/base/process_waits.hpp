// What the threads of this process waited for.
#pragma once

#include "enprof/base/units.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>

namespace enprof {

/// The time that one thread ran, and the time that it was ready to run but had no CPU.
struct ThreadTimes {
  Nanoseconds ran{0};
  Nanoseconds waited{0};

  friend bool operator==(const ThreadTimes&, const ThreadTimes&) = default;
};

/// Counters of this process at one moment; empty where the system does not tell.
struct ProcessWaits {
  std::map<std::uint64_t, ThreadTimes> threads;  ///< by thread id, from schedstat
  std::optional<std::uint64_t> disk_reads;       ///< major page faults
  std::optional<std::uint64_t> swapped_bytes;    ///< of its memory that is in swap now

  friend bool operator==(const ProcessWaits&, const ProcessWaits&) = default;
};

[[nodiscard]] ProcessWaits read_process_waits(const std::filesystem::path& procfs_root);

/// Of the time in which threads could have run, the part that they waited for a CPU: 0–1. Threads
/// that began or ended in between do not count. Empty if that time is shorter than 10 ms.
[[nodiscard]] std::optional<double> cpu_wait_share(const ProcessWaits& begin,
                                                   const ProcessWaits& end);

}  // namespace enprof
