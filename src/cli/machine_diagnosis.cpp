#include "cli/machine_diagnosis.hpp"

#include "base/cpu_identity.hpp"
#include "base/format_bytes.hpp"
#include "report/format.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace enprof {
namespace {

using State = DiagnosisState;

/// The first line of a file; empty if it cannot be read.
std::optional<std::string> first_line(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line)) {
    return std::nullopt;
  }
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) {
    line.pop_back();
  }
  return line;
}

bool is_there(const std::filesystem::path& path) {
  std::error_code failed;
  return std::filesystem::exists(path, failed);
}

/// Product names of virtual machines, which real machines never have.
constexpr std::array<std::string_view, 7> kVirtualProducts{
    "KVM", "QEMU", "VMware", "VirtualBox", "Virtual Machine", "Bochs", "HVM domU"};

/// Vendor and product as reported by the firmware; empty if it reports none.
std::string dmi_name(const std::filesystem::path& sysfs) {
  std::string result;
  for (const char* file : {"sys_vendor", "product_name"}) {
    if (const auto line = first_line(sysfs / "class" / "dmi" / "id" / file);
        line && !line->empty() && !result.contains(*line)) {
      result += (result.empty() ? "" : " ") + *line;
    }
  }
  return result;
}

}  // namespace

std::filesystem::path nearest_existing(const std::filesystem::path& file) {
  std::error_code failed;
  auto path = std::filesystem::absolute(file, failed);
  while (!path.empty() && !is_there(path) && path != path.parent_path()) {
    path = path.parent_path();
  }
  return path;
}

Diagnosis diagnose_virtualization(const std::filesystem::path& sysfs,
                                  const std::filesystem::path& procfs,
                                  const std::filesystem::path& root) {
  const std::string dmi = dmi_name(sysfs);
  const auto type = first_line(sysfs / "hypervisor" / "type");
  const bool is_virtual =
      read_cpu_identity(procfs).is_virtual || type ||
      std::ranges::any_of(kVirtualProducts, [&](auto product) { return dmi.contains(product); });
  const bool is_container = is_there(root / ".dockerenv") || is_there(root / "run/.containerenv");
  Diagnosis result{.what = "virtualization", .state = State::good};
  const std::string by = !dmi.empty() ? dmi : type.value_or("");
  if (is_virtual) {
    result.state = State::limited;
    result.detail = fmt::format(
        "a virtual machine{}{}: these rarely have RAPL or other power "
        "sensors, and share their CPUs with neighbours",
        by.empty() ? "" : fmt::format(" ({})", by), is_container ? ", in a container" : "");
    result.fix =
        "To measure, run enprof on the host or on real hardware. Here, energy can be "
        "estimated.";
  } else if (is_container) {
    result.state = State::limited;
    result.detail = "a container: it sees the host's sensors only if they are mounted";
    result.fix =
        "Mount /sys/class/powercap and /sys/devices/virtual/powercap, readable; Docker "
        "hides them.";
  } else {
    result.detail = by.empty() ? "none detected" : fmt::format("none detected ({})", by);
  }
  return result;
}

Diagnosis diagnose_clock(const std::filesystem::path& sysfs, const Clock& clock) {
  constexpr int kReadings = 1000;
  const Instant begin = clock.now();
  for (int reading = 0; reading < kReadings; ++reading) {
    static_cast<void>(clock.now());
  }
  const Nanoseconds cost = (clock.now() - begin) / kReadings;
  const auto directory = sysfs / "devices" / "system" / "clocksource" / "clocksource0";
  const auto current = first_line(directory / "current_clocksource");
  const auto available = first_line(directory / "available_clocksource");
  // A microsecond or more means that each reading is a system call.
  const bool is_slow = cost >= std::chrono::microseconds{1};
  Diagnosis result{.what = "clock", .state = is_slow ? State::limited : State::good};
  result.detail = fmt::format("monotonic, {} a reading", format_duration(cost));
  if (current) {
    result.detail +=
        fmt::format(", from {}{}", *current,
                    available && *available != *current ? fmt::format(" (of {})", *available) : "");
  }
  if (is_slow) {
    const bool has_tsc = available && available->contains("tsc") && current != "tsc";
    result.fix = has_tsc ? fmt::format("echo tsc | sudo tee {}",
                                       (directory / "current_clocksource").string())
                         : "This machine has no faster clock: each span costs that much more.";
  }
  return result;
}

Diagnosis diagnose_governor(const std::filesystem::path& sysfs) {
  std::map<std::string, int> governors;
  std::error_code failed;
  const auto cpus = sysfs / "devices" / "system" / "cpu";
  for (std::filesystem::directory_iterator entry(cpus, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (const auto governor = first_line(entry->path() / "cpufreq" / "scaling_governor")) {
      ++governors[*governor];
    }
  }
  Diagnosis result{.what = "CPU governor", .state = State::good};
  if (governors.empty()) {
    result.detail =
        "unknown: no CPU here has cpufreq. The host or the firmware controls "
        "the clock";
    return result;
  }
  std::vector<std::string> parts;
  parts.reserve(governors.size());
  for (const auto& [governor, count] : governors) {
    parts.push_back(fmt::format("{} on {} CPU{}", governor, count, count == 1 ? "" : "s"));
  }
  result.detail = fmt::format("{}", fmt::join(parts, ", "));
  if (governors.size() > 1 || !governors.contains("performance")) {
    result.state = State::limited;
    result.detail += ": clock rates follow the load, so figures vary from run to run";
    result.fix =
        "For comparisons: sudo cpupower frequency-set -g performance (this changes the "
        "energy, too)";
  }
  return result;
}

Diagnosis diagnose_perf_events(const std::filesystem::path& sysfs,
                               const std::filesystem::path& procfs, bool is_root) {
  Diagnosis result{.what = "perf events", .state = State::good};
  const auto line = first_line(procfs / "sys" / "kernel" / "perf_event_paranoid");
  int level = 0;
  if (!line ||
      std::from_chars(line->data(), line->data() + line->size(), level).ec != std::errc{}) {
    result.detail = "unknown: this system has no perf_event_paranoid";
    return result;
  }
  const bool has_power = is_there(sysfs / "bus" / "event_source" / "devices" / "power");
  const bool may_read = is_root || level <= 0;
  result.detail =
      fmt::format("perf_event_paranoid is {}{}; {}", level, is_root ? ", and this is root" : "",
                  has_power ? "the kernel has a power PMU"
                            : "the kernel has no power PMU, so it does not matter");
  if (has_power && !may_read) {
    result.state = State::limited;
    result.detail += ", which this user may not read";
    result.fix =
        "sudo sysctl kernel.perf_event_paranoid=0 (all users can then watch the whole "
        "machine; or: sudo setcap cap_perfmon=ep on the program)";
  }
  return result;
}

Diagnosis diagnose_disk(const std::filesystem::path& file) {
  // A run of a thousand tokens at full depth takes a few megabytes.
  constexpr std::uintmax_t kLow = std::uintmax_t{200} << 20U;
  constexpr std::uintmax_t kTooLow = std::uintmax_t{10} << 20U;
  const auto place = nearest_existing(file);
  std::error_code failed;
  const auto space = std::filesystem::space(place, failed);
  Diagnosis result{.what = "disk space"};
  if (failed) {
    result.detail = fmt::format("unknown for {}: {}", place.string(), failed.message());
    return result;
  }
  result.state = space.available < kTooLow ? State::bad
                 : space.available < kLow  ? State::limited
                                           : State::good;
  result.detail = fmt::format("{} free of {} at {}", format_bytes(space.available),
                              format_bytes(space.capacity), place.string());
  if (result.state != State::good) {
    result.fix =
        "Delete runs that you no longer need (enprof rm RUN), or save runs elsewhere: --db PATH";
  }
  return result;
}

}  // namespace enprof
