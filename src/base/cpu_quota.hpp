// The CPU time that this process's control groups allow it, and what they withheld.
#pragma once

#include "enprof/base/units.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// The counters of one control group with bandwidth control.
struct CpuQuotaCounters {
  std::string group;           ///< its directory
  std::optional<double> cpus;  ///< the quota: CPU time per time; empty: unlimited
  std::uint64_t periods = 0;   ///< in which the group ran
  std::uint64_t throttled_periods = 0;
  Nanoseconds withheld{0};  ///< summed over CPUs

  friend bool operator==(const CpuQuotaCounters&, const CpuQuotaCounters&) = default;
};

/// Reads cpu.max and cpu.stat of this process's group and of all groups around it, since a quota
/// may be set at any of them and is counted there; cgroup v2 or, if that has no CPU controller, v1.
/// Empty if there is none: the root has no quota.
[[nodiscard]] std::vector<CpuQuotaCounters> read_cpu_quotas(
    const std::filesystem::path& procfs_root, const std::filesystem::path& sysfs_root);

/// What one group withheld in between.
struct CpuThrottling {
  std::optional<double> cpus;  ///< its quota at the end
  double share = 0.0;          ///< of its periods that were throttled: 0–1
  Nanoseconds withheld{0};     ///< summed over CPUs

  friend bool operator==(const CpuThrottling&, const CpuThrottling&) = default;
};

/// Of the group that was throttled in the largest share of its periods. Empty if no group is in
/// both readings.
[[nodiscard]] std::optional<CpuThrottling> throttling_between(
    const std::vector<CpuQuotaCounters>& begin, const std::vector<CpuQuotaCounters>& end);

}  // namespace enprof
