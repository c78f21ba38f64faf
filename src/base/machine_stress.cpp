#include "base/machine_stress.hpp"

#include "base/cpu_times.hpp"
#include "base/kernel_text.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace enprof {
namespace {

/// "some avg10=0.00 avg60=0.00 avg300=0.00 total=24350052", in microseconds.
std::optional<Nanoseconds> pressure_total(const std::filesystem::path& file,
                                          std::string_view line) {
  const auto text = text_of(file);
  const auto rest = line_after(text ? std::string_view(*text) : std::string_view{}, line);
  const auto total = rest ? number_after(*rest, "total") : std::nullopt;
  if (!total || *total > static_cast<std::uint64_t>(Nanoseconds::max() / 1000 / Nanoseconds{1})) {
    return std::nullopt;
  }
  return std::chrono::microseconds{static_cast<std::int64_t>(*total)};
}

void read_stolen(const std::filesystem::path& stat, StressReading& reading) {
  const auto text = text_of(stat);
  const auto line = line_after(text ? std::string_view(*text) : std::string_view{}, "cpu");
  if (!line) {
    return;
  }
  // user nice system idle iowait irq softirq steal: proc_stat(5).
  const auto words = words_of(*line);
  constexpr std::size_t kSteal = 7;
  if (words.size() <= kSteal) {
    return;
  }
  std::int64_t wanted = 0;
  const auto most = static_cast<std::uint64_t>(Nanoseconds::max() / CpuTimes::tick() / 16);
  for (const std::size_t index : {0U, 1U, 2U, 5U, 6U, 7U}) {
    const auto ticks = whole_number_in(words[index]);
    if (!ticks || *ticks > most) {
      return;
    }
    wanted += static_cast<std::int64_t>(*ticks);
    if (index == kSteal) {
      reading.stolen = static_cast<std::int64_t>(*ticks) * CpuTimes::tick();
    }
  }
  reading.wanted = wanted * CpuTimes::tick();
}

/// How much a counter grew. Empty if it is not known, or went back.
template <class Count>
std::optional<Count> growth(const std::optional<Count>& begin, const std::optional<Count>& end) {
  return begin && end && *end >= *begin ? std::optional{*end - *begin} : std::nullopt;
}

std::optional<double> share(std::optional<Nanoseconds> part, Nanoseconds whole) {
  if (!part || whole <= Nanoseconds{0}) {
    return std::nullopt;
  }
  return std::clamp(seconds(*part) / seconds(whole), 0.0, 1.0);
}

}  // namespace

StressReading read_machine_stress(const std::filesystem::path& procfs_root,
                                  const std::filesystem::path& sysfs_root, const Clock& clock) {
  StressReading reading;
  reading.memory_stall = pressure_total(procfs_root / "pressure" / "memory", "some");
  reading.io_stall = pressure_total(procfs_root / "pressure" / "io", "full");
  read_stolen(procfs_root / "stat", reading);
  reading.throttle = read_throttle_counters(sysfs_root);
  reading.quotas = read_cpu_quotas(procfs_root, sysfs_root);
  reading.speed_limits = read_cpu_speed_limits(sysfs_root);
  reading.waits = read_process_waits(procfs_root);
  reading.at = clock.now();
  return reading;
}

MachineStress stress_between(const StressReading& begin, const StressReading& end) {
  MachineStress stress{.duration = end.at - begin.at};
  stress.memory_stall_share = share(growth(begin.memory_stall, end.memory_stall), stress.duration);
  stress.io_stall_share = share(growth(begin.io_stall, end.io_stall), stress.duration);
  // Shorter times than this have too few ticks for a share.
  if (const auto wanted = growth(begin.wanted, end.wanted);
      wanted && *wanted >= 10 * CpuTimes::tick()) {
    stress.stolen_share = share(growth(begin.stolen, end.stolen), *wanted);
  }
  stress.cpu_wait_share = enprof::cpu_wait_share(begin.waits, end.waits);
  stress.disk_reads = growth(begin.waits.disk_reads, end.waits.disk_reads);
  stress.swapped_before = begin.waits.swapped_bytes;
  stress.swapped_after = end.waits.swapped_bytes;
  stress.throttling = throttling_between(begin.throttle, end.throttle);
  stress.quota = throttling_between(begin.quotas, end.quotas);
  stress.limits_before = begin.speed_limits;
  stress.limits_after = end.speed_limits;
  return stress;
}

}  // namespace enprof
