// The limits of a machine that bound its power: those of its CPU packages, of its GPUs, and the
// highest frequency of its CPUs.
#pragma once

#include "enprof/base/error.hpp"

#include "limits/limit_guard.hpp"
#include "limits/limit_setting.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// What may be set; 0: as it was found.
struct PowerLimitValues {
  int cpu_power_w = 0;  ///< of each package: its long-term and its short-term limit
  int gpu_power_w = 0;  ///< of each GPU
  int cpu_frequency_mhz = 0;

  friend bool operator==(const PowerLimitValues&, const PowerLimitValues&) = default;
};

/// Sets limits, and restores what was there, in every case (LimitGuard).
///
/// - CPU packages: class/powercap/intel-rapl:N/constraint_M_power_limit_uw of the constraints that
///   are called long_term and short_term (Linux, Documentation/power/powercap), and `enabled`.
/// - GPUs: NVML's power management limit, within its constraints.
/// - Frequency: devices/system/cpu/cpufreq/policyN/scaling_max_freq, within cpuinfo_min_freq and
///   cpuinfo_max_freq.
///
/// Threads: one.
class PowerLimits {
 public:
  struct Options {
    std::filesystem::path sysfs_root = "/sys";
    std::filesystem::path nvml_library = "libnvidia-ml.so.1";
    std::vector<std::string> guard{};  ///< the command that is a guard
  };
  explicit PowerLimits(Options options) : options_(std::move(options)) {}

  /// Whether all of these can be set here, without changing anything. Call it once, with all that
  /// will be set. Errors: unsupported, if the machine has no such limit; permission_denied.
  [[nodiscard]] Result<void> prepare(const std::vector<PowerLimitValues>& all);
  /// Sets these; what is 0 is set to what was found. At the first call the guard starts. Errors:
  /// invalid_argument for a value out of the machine's range, before anything is changed; those of
  /// write_limit(), after the limits were restored.
  [[nodiscard]] Result<void> set(const PowerLimitValues& values);
  /// Restores everything. Errors: those of LimitGuard::release().
  [[nodiscard]] Result<void> restore();

 private:
  /// One limit, as it was found.
  struct Knob {
    LimitSetting found{};
    int PowerLimitValues::* wanted = nullptr;
    std::int64_t per_unit = 1;  // of the setting, for one W or MHz
    std::optional<std::int64_t> least{};
    std::optional<std::int64_t> most{};
    bool is_switch = false;  // is set to 1 while a limit is wanted
  };
  void find_packages();
  void find_frequencies();
  void find_gpus();
  [[nodiscard]] Result<void> check_range(const PowerLimitValues& values) const;
  [[nodiscard]] Result<void> write(const PowerLimitValues& values);

  Options options_;
  std::vector<Knob> knobs_;  // those that will be used
  std::optional<LimitGuard> guard_;
};

}  // namespace enprof
