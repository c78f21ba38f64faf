// What this process may use of the machine: memory and cores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace enprof {

/// Where the system describes itself; tests point elsewhere. Used on Linux only.
struct MachineRoots {
  std::filesystem::path sysfs = "/sys";
  std::filesystem::path procfs = "/proc";
};

/// Bytes of memory: the machine's, or the control group's limit (cgroup v2 or v1) where that is
/// lower. Empty where the system does not say.
[[nodiscard]] std::optional<std::uint64_t> usable_memory(const MachineRoots& roots = {});

/// The number of threads that computes fastest as a rule: one for each physical core among the CPUs
/// that this process may run on (its affinity), no more than the control group's CPU quota (cgroup
/// v2 or v1, the lowest on the way up) rounded down, at least one. Matrix products saturate a
/// core's units, so a second hardware thread only gets in the way.
[[nodiscard]] int default_threads(const MachineRoots& roots = {});

}  // namespace enprof
