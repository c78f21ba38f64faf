#include "base/thermal_throttle.hpp"

#include "base/cpu_directories.hpp"
#include "base/kernel_text.hpp"

#include <algorithm>
#include <set>

namespace enprof {

ThrottleCounters read_throttle_counters(const std::filesystem::path& sysfs_root) {
  ThrottleCounters counters;
  for (const auto& cpu : cpu_directories(sysfs_root)) {
    for (const std::string what : {"core", "package"}) {
      const auto place = cpu / "thermal_throttle";
      const auto events = number_of(place / (what + "_throttle_count"));
      if (!events) {
        continue;
      }
      ThrottleCounter counter{.events = *events, .time = {}};
      if (const auto ms = number_of(place / (what + "_throttle_total_time_ms"))) {
        counter.time = std::chrono::milliseconds{static_cast<std::int64_t>(*ms)};
      }
      counters.emplace(cpu.filename().string() + "/" + what, counter);
    }
  }
  return counters;
}

std::optional<ThermalThrottling> throttling_between(const ThrottleCounters& begin,
                                                    const ThrottleCounters& end) {
  std::optional<ThermalThrottling> result;
  std::set<std::string> cpus;
  for (const auto& [place, after] : end) {
    const auto before = begin.find(place);
    if (before == begin.end() || after.events < before->second.events) {
      continue;  // the CPU was taken offline, and back
    }
    if (!result) {
      result.emplace();
    }
    const std::uint64_t events = after.events - before->second.events;
    result->events = std::max(result->events, events);
    if (events > 0) {
      cpus.insert(place.substr(0, place.find('/')));
    }
    if (after.time && before->second.time && *after.time >= *before->second.time) {
      result->time =
          std::max(result->time.value_or(Nanoseconds{0}), *after.time - *before->second.time);
    }
  }
  if (result) {
    result->cpus = cpus.size();
  }
  return result;
}

}  // namespace enprof
