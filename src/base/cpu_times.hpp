// How busy the machine's CPUs are, and how much of that this process used.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "base/polled_file.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <span>

namespace enprof {

/// CPU time of the whole machine since it booted, summed over its CPUs. Linux and macOS count it in
/// ticks of 10 ms.
struct MachineCpuTime {
  Nanoseconds busy{0};   ///< running anything; without time that a hypervisor withheld
  Nanoseconds total{0};  ///< busy, idle, waiting for I/O, or withheld

  friend bool operator==(const MachineCpuTime&, const MachineCpuTime&) = default;
};

/// The machine's CPU time and this process's, read one right after the other.
struct CpuSnapshot {
  MachineCpuTime machine;
  Nanoseconds own{0};

  friend bool operator==(const CpuSnapshot&, const CpuSnapshot&) = default;
};

/// A snapshot, and when it was taken.
struct CpuSample {
  Instant at;
  CpuSnapshot times;

  friend bool operator==(const CpuSample&, const CpuSample&) = default;
};

/// Threads: any may read at any time.
class CpuTimes {
 public:
  /// Tests pass another root than /proc; macOS has no procfs and ignores it. `programs`: the CPU
  /// time of other processes that counts as own, if there are such.
  explicit CpuTimes(const std::filesystem::path& procfs_root = "/proc",
                    std::function<Nanoseconds()> programs = {});

  [[nodiscard]] Result<MachineCpuTime> machine() const;
  /// CPU time of this process, all its threads.
  [[nodiscard]] Result<Nanoseconds> own() const;
  /// Both, with that of the programs; empty if one of them cannot be read.
  [[nodiscard]] std::optional<CpuSnapshot> read() const;

  /// The number of CPUs that the machine's times are summed over: those online when this was
  /// constructed.
  [[nodiscard]] unsigned cpu_count() const noexcept { return cpu_count_; }
  /// The size of the steps in which the machine's times are counted.
  [[nodiscard]] static Nanoseconds tick();

 private:
  unsigned cpu_count_;
  std::function<Nanoseconds()> programs_;
#if !defined(__APPLE__)
  Result<PolledFile> machine_;
  Result<PolledFile> process_;
#endif
};

/// 0–1: the share of the time of all CPUs between two readings in which they were busy. Empty if
/// that time is less than ten ticks, which is too short for a share.
[[nodiscard]] std::optional<double> busy_share(const MachineCpuTime& begin,
                                               const MachineCpuTime& end);

/// 0–1: the share of the machine's busy CPU time between two snapshots that other processes used.
/// Where the machine was busy for less than two ticks, which is too short for a share: 0 if its
/// CPUs together had 50 ticks or more, of which others then used at most 4 %; else empty.
[[nodiscard]] std::optional<double> foreign_cpu_share(const CpuSnapshot& begin,
                                                      const CpuSnapshot& end);
/// The same between two instants, from samples in the order of time. Between two samples, times are
/// assumed to grow evenly. Empty if the samples do not reach from begin to end, or if [begin, end]
/// is shorter than one interval between two samples.
[[nodiscard]] std::optional<double> foreign_cpu_share(std::span<const CpuSample> samples,
                                                      Instant begin, Instant end);

}  // namespace enprof
