#include "base/cpu_speed.hpp"

#include "base/cpu_directories.hpp"
#include "base/first_line.hpp"
#include "base/kernel_text.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace enprof {
namespace {

void raise_to(std::optional<std::uint64_t>& most, std::optional<std::uint64_t> value) {
  if (value && *value > 0) {
    most = std::max(most.value_or(0), *value);
  }
}

}  // namespace

CpuSpeedLimits read_cpu_speed_limits(const std::filesystem::path& sysfs_root) {
  CpuSpeedLimits limits;
  std::set<std::string> governors;
  for (const auto& cpu : cpu_directories(sysfs_root)) {
    const auto place = cpu / "cpufreq";
    raise_to(limits.highest, number_of(place / "cpuinfo_max_freq"));
    raise_to(limits.allowed, number_of(place / "scaling_max_freq"));
    auto rated = number_of(place / "base_frequency");
    if (const auto mhz = number_of(cpu / "acpi_cppc" / "nominal_freq"); !rated && mhz) {
      rated = *mhz * 1000;
    }
    raise_to(limits.rated, rated);
    if (auto governor = first_line_of(place / "scaling_governor"); !governor.empty()) {
      governors.insert(std::move(governor));
    }
  }
  for (const std::string& governor : governors) {
    limits.governor += (limits.governor.empty() ? "" : ", ") + governor;
  }
  return limits;
}

CpuSpeedometer::CpuSpeedometer(const std::filesystem::path& sysfs_root) {
  const auto cpus = cpu_directories(sysfs_root);
  const std::size_t count = std::min(cpus.size(), kMostCpus);
  for (std::size_t index = 0; index < count; ++index) {
    const auto& cpu = cpus[index * cpus.size() / count];
    if (auto file = PolledFile::open(cpu / "cpufreq" / "scaling_cur_freq")) {
      files_.push_back(*std::move(file));
    }
  }
}

std::optional<std::uint64_t> CpuSpeedometer::fastest() const {
  std::optional<std::uint64_t> most;
  for (const PolledFile& file : files_) {
    // An idle or offline CPU may say 0, "<unknown>" or nothing.
    if (const auto khz = file.read_number()) {
      raise_to(most, *khz);
    }
  }
  return most;
}

}  // namespace enprof
