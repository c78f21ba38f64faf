// How fast the CPUs run, as cpufreq tells it.
#pragma once

#include "base/polled_file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// What limits the CPUs' speed. Frequencies are in kHz, and of the fastest CPU: cores of a hybrid
/// CPU differ.
struct CpuSpeedLimits {
  std::optional<std::uint64_t> rated;  ///< without turbo: base_frequency, else CPPC's nominal_freq
  std::optional<std::uint64_t> highest;  ///< cpuinfo_max_freq
  /// scaling_max_freq: lowered by people, by power profiles, and by Linux where a CPU is too hot.
  std::optional<std::uint64_t> allowed;
  std::string governor;  ///< empty: unknown; several: "powersave, performance"

  friend bool operator==(const CpuSpeedLimits&, const CpuSpeedLimits&) = default;
};

/// Where Linux has no cpufreq (virtual machines, mostly) nothing is known.
[[nodiscard]] CpuSpeedLimits read_cpu_speed_limits(const std::filesystem::path& sysfs_root);

/// Reads the speed that the CPUs have at the moment.
/// Threads: one at a time.
class CpuSpeedometer {
 public:
  /// At most this many CPUs are read, evenly spread over the machine: a reading takes 1 to 3 µs.
  static constexpr std::size_t kMostCpus = 64;

  explicit CpuSpeedometer(const std::filesystem::path& sysfs_root);

  /// kHz of the fastest CPU, which is one that computes if any does. Empty if no CPU says.
  [[nodiscard]] std::optional<std::uint64_t> fastest() const;

 private:
  std::vector<PolledFile> files_;
};

}  // namespace enprof
