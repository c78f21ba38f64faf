// Events in which a CPU became too hot and slowed itself down.
#pragma once

#include "enprof/base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace enprof {

/// The counters of thermal_throttle/ of one CPU, or of the whole package as that CPU saw it.
struct ThrottleCounter {
  std::uint64_t events = 0;
  std::optional<Nanoseconds> time;  ///< Linux 5.7 and later

  friend bool operator==(const ThrottleCounter&, const ThrottleCounter&) = default;
};

/// Counters by their place, "cpu3/core" or "cpu3/package". Empty where Linux has none: other than
/// Intel CPUs, and virtual machines.
using ThrottleCounters = std::map<std::string, ThrottleCounter>;
[[nodiscard]] ThrottleCounters read_throttle_counters(const std::filesystem::path& sysfs_root);

/// Several CPUs count one event of their package, and two of one core: the sums mean nothing, so
/// these are of the CPU with the most.
struct ThermalThrottling {
  std::uint64_t events = 0;
  std::optional<Nanoseconds> time;
  std::size_t cpus = 0;  ///< logical CPUs with at least one event

  friend bool operator==(const ThermalThrottling&, const ThermalThrottling&) = default;
};

/// What happened in between; empty if there are no counters.
[[nodiscard]] std::optional<ThermalThrottling> throttling_between(const ThrottleCounters& begin,
                                                                  const ThrottleCounters& end);

}  // namespace enprof
