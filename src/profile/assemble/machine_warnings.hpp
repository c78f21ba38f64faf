// Warnings of a run about what disturbed the machine meanwhile.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/profiled_run.hpp"

#include "base/machine_stress.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// From here on a run has a warning. docs/errors.md gives the reason for each.
struct MachineThresholds {
  static constexpr double kMemoryStall = 0.01;  ///< of the time
  static constexpr double kIoStall = 0.01;      ///< of the time
  static constexpr double kStolen = 0.02;       ///< of the CPU time that the machine wanted
  static constexpr double kCpuWait = 0.05;      ///< of the time in which threads could run
  /// Of a run that is shorter, waiting for a CPU says nothing: it is less than a scheduler's turn.
  static constexpr Nanoseconds kLongEnough = std::chrono::milliseconds{100};
  static constexpr double kQuota = 0.01;         ///< of the group's periods
  static constexpr double kDiskReadTime = 0.01;  ///< of the time, at kDiskRead for each fault
  static constexpr Nanoseconds kDiskRead = std::chrono::microseconds{100};
  static constexpr std::uint64_t kSwapped = 1U << 20U;  ///< bytes that went into swap
  static constexpr double kSpeedChange = 0.10;          ///< of the higher speed
  static constexpr double kSlow = 0.95;                 ///< of the rated speed
  static constexpr double kSlowOfHighest = 0.50;        ///< where the rated speed is not known
};

/// The warnings of component "machine". `slept` and `speeds` are as in MachineFindings.
[[nodiscard]] std::vector<Warning> machine_warnings(const MachineStress& stress, Nanoseconds slept,
                                                    std::span<const std::uint64_t> speeds);

}  // namespace enprof
