// What disturbed the machine or this process during a time, as far as the kernel tells it: memory
// pressure, throttled CPUs and limits on their speed, CPU time that others took.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include "base/cpu_quota.hpp"
#include "base/cpu_speed.hpp"
#include "base/process_waits.hpp"
#include "base/thermal_throttle.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace enprof {

/// The kernel's counters at one moment. What this system does not tell is empty.
struct StressReading {
  Instant at;
  /// Totals of pressure stall information: https://docs.kernel.org/accounting/psi.html
  std::optional<Nanoseconds> memory_stall;  ///< some task waited for memory
  std::optional<Nanoseconds> io_stall;      ///< all tasks that had work waited for a disk
  /// CPU time of the machine: withheld by a hypervisor; and that plus busy.
  std::optional<Nanoseconds> stolen;
  std::optional<Nanoseconds> wanted;
  ThrottleCounters throttle;
  std::vector<CpuQuotaCounters> quotas;
  CpuSpeedLimits speed_limits;
  ProcessWaits waits;
};

/// Reads some 20 small files, and five for each CPU: 0.2 to 5 ms. So call it outside of what is
/// measured. The pressure of CPUs is not read: it says that some program waited for a CPU, and
/// ProcessWaits says it of this one.
[[nodiscard]] StressReading read_machine_stress(const std::filesystem::path& procfs_root,
                                                const std::filesystem::path& sysfs_root,
                                                const Clock& clock = monotonic_clock());

/// The difference of two readings. An empty value is not known; zero means that nothing happened.
struct MachineStress {
  Nanoseconds duration{0};
  std::optional<double> memory_stall_share;     ///< of the duration, 0–1
  std::optional<double> io_stall_share;         ///< of the duration, 0–1
  std::optional<double> stolen_share;           ///< of the CPU time that the machine wanted, 0–1
  std::optional<double> cpu_wait_share;         ///< of the time in which own threads could run, 0–1
  std::optional<std::uint64_t> disk_reads;      ///< own major page faults
  std::optional<std::uint64_t> swapped_before;  ///< bytes of this process in swap
  std::optional<std::uint64_t> swapped_after;
  std::optional<ThermalThrottling> throttling;
  std::optional<CpuThrottling> quota;
  CpuSpeedLimits limits_before;
  CpuSpeedLimits limits_after;
};

[[nodiscard]] MachineStress stress_between(const StressReading& begin, const StressReading& end);

}  // namespace enprof
