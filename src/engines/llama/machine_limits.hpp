// The memory and cores of the machine that this process may use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace enprof {

/// Roots of sysfs and procfs; tests use others. Used on Linux only.
struct MachineRoots {
  std::filesystem::path sysfs = "/sys";
  std::filesystem::path procfs = "/proc";
};

/// Memory in bytes: the machine's, or the control group's limit (cgroup v2 or v1) if that is lower.
/// Empty if the system does not say.
[[nodiscard]] std::optional<std::uint64_t> usable_memory(const MachineRoots& roots = {});

/// The number of threads that usually computes fastest: one for each physical core among the CPUs
/// that this process may run on (its affinity), at most the control group's CPU quota (cgroup v2 or
/// v1, the lowest in its hierarchy) rounded down, at least one. Matrix products saturate a core's
/// units, so a second hardware thread of a core only disturbs.
[[nodiscard]] int default_threads(const MachineRoots& roots = {});

}  // namespace enprof
