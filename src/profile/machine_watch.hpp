// Watches during a run what may disturb it: see MachineStress.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/cpu_speed.hpp"
#include "base/machine_stress.hpp"
#include "base/periodic_thread.hpp"
#include "base/suspend_watch.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace enprof {

/// What was found between start() and stop().
struct MachineFindings {
  MachineStress stress;
  Nanoseconds slept{0};  ///< beside the time between the two, which does not contain it
  /// kHz of the fastest CPU, in the order of time and at equal distances. Empty: unknown.
  std::vector<std::uint64_t> speeds;
};

/// Reads the kernel's counters when it starts and when it stops, and the speed of the CPUs once a
/// second on its own thread: 0.02 % of one CPU at most. Linux keeps no history of the speed, and
/// before and after a run the CPUs idle.
///
/// Threads: one thread calls start() and stop() and destroys it.
class MachineWatch {
 public:
  struct Options {
    std::filesystem::path procfs_root = "/proc";
    std::filesystem::path sysfs_root = "/sys";
    const Clock* clock = &monotonic_clock();
    const Clock* boot = &boot_clock();  ///< null: sleep is not noticed
    Nanoseconds period = std::chrono::seconds{1};
    /// Until the first reading of the speed: what the run needs to bring the CPUs to speed.
    Nanoseconds first = std::chrono::milliseconds{100};
    /// When there are so many, every second speed is removed and the period doubled.
    std::size_t most_speeds = std::size_t{1} << 12U;
  };

  /// The clocks outlive it.
  explicit MachineWatch(Options options);
  MachineWatch(const MachineWatch&) = delete;
  MachineWatch& operator=(const MachineWatch&) = delete;

  void start();
  /// Empty if it was not started.
  [[nodiscard]] std::optional<MachineFindings> stop();

 private:
  void read_speed();

  Options options_;
  std::optional<StressReading> begin_;
  std::optional<SuspendWatch> suspend_;
  std::optional<CpuSpeedometer> speedometer_;
  std::vector<std::uint64_t> speeds_;  // only the thread uses it while it runs
  PeriodicThread thread_;
};

}  // namespace enprof
