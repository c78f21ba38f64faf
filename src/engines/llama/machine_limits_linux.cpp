#if defined(__linux__)

#include "engines/llama/machine_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line)) {
    return std::nullopt;
  }
  return line;
}

std::optional<std::uint64_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) {
    return std::nullopt;  // "max" means no limit
  }
  return value;
}

/// Some sandboxes show 0, or -1 as an unsigned number, for an unknown value.
bool is_amount(std::uint64_t value) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 53U;
  return value > 0 && value <= kMost;
}

std::optional<std::uint64_t> physical_memory(const fs::path& procfs) {
  constexpr std::string_view kLabel = "MemTotal:";
  std::ifstream in(procfs / "meminfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(kLabel)) {
      const auto kibibytes = leading_number(std::string_view(line).substr(kLabel.size()));
      return kibibytes && is_amount(*kibibytes) ? std::optional(*kibibytes * 1024) : std::nullopt;
    }
  }
  return std::nullopt;
}

/// Adds the group's directory and those above it: a limit in any of them applies. The mount itself
/// is included: in a container it is often the group, whose path then names a place on the host. A
/// group outside of our namespace has a path that climbs ("/../other"): then only the mount is
/// ours.
void add_with_ancestors(const fs::path& mount, std::string_view group,
                        std::vector<fs::path>& groups) {
  const fs::path inside = fs::path(group).relative_path().lexically_normal();
  if (!inside.empty() && *inside.begin() != "..") {
    for (fs::path below = inside; !below.empty(); below = below.parent_path()) {
      groups.push_back(mount / below);
    }
  }
  groups.push_back(mount);
}

struct Groups {
  std::vector<fs::path> unified;  // cgroup v2
  std::vector<fs::path> memory;   // cgroup v1
  std::vector<fs::path> cpu;      // cgroup v1
};

/// Version 1 is mounted once for each set of controllers, with a link for each single controller on
/// some systems.
void add_version_1(const fs::path& mount, const std::string& controllers,
                   const std::string& controller, std::string_view group,
                   std::vector<fs::path>& groups) {
  add_with_ancestors(mount / controller, group, groups);
  if (controllers != controller) {
    add_with_ancestors(mount / controllers, group, groups);
  }
}

Groups own_groups(const MachineRoots& roots) {
  Groups result;
  const fs::path mount = roots.sysfs / "fs/cgroup";
  std::ifstream in(roots.procfs / "self/cgroup");
  for (std::string line; std::getline(in, line);) {  // hierarchy:controllers:group
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string_view group = std::string_view(line).substr(second + 1);
    const auto has = [list = ',' + controllers + ','](std::string_view controller) {
      return list.find(fmt::format(",{},", controller)) != std::string::npos;
    };
    if (controllers.empty()) {
      add_with_ancestors(mount, group, result.unified);
      add_with_ancestors(mount / "unified", group, result.unified);  // beside version 1
    }
    if (has("memory")) {
      add_version_1(mount, controllers, "memory", group, result.memory);
    }
    if (has("cpu")) {
      add_version_1(mount, controllers, "cpu", group, result.cpu);
    }
  }
  return result;
}

/// Keeps the lower of two quotas, in CPUs.
void keep_lower_quota(std::optional<std::uint64_t> quota, std::optional<std::uint64_t> period,
                      std::optional<double>& least) {
  if (quota && *quota > 0 && period && *period > 0) {
    const double cpus = static_cast<double>(*quota) / static_cast<double>(*period);
    least = std::min(least.value_or(cpus), cpus);
  }
}

/// Threads that the groups' quotas can keep busy; empty if there is no quota. Rounded down: with
/// one thread more, all others would wait for it in each operation while the group is throttled.
std::optional<int> quota_threads(const Groups& groups) {
  std::optional<double> cpus;
  for (const fs::path& group : groups.unified) {  // "MICROSECONDS PERIOD"
    const std::string line = first_line(group / "cpu.max").value_or("");
    keep_lower_quota(
        leading_number(line),
        leading_number(std::string_view(line).substr(std::min(line.find(' '), line.size()))), cpus);
  }
  for (const fs::path& group : groups.cpu) {  // -1: no quota
    keep_lower_quota(leading_number(first_line(group / "cpu.cfs_quota_us").value_or("")),
                     leading_number(first_line(group / "cpu.cfs_period_us").value_or("")), cpus);
  }
  if (!cpus) {
    return std::nullopt;
  }
  constexpr double kMost = 1 << 20;
  return std::max(static_cast<int>(std::floor(std::min(*cpus, kMost))), 1);
}

}  // namespace

std::optional<std::uint64_t> usable_memory(const MachineRoots& roots) {
  std::optional<std::uint64_t> result = physical_memory(roots.procfs);
  const auto limit_by = [&result](const fs::path& file) {
    if (const auto line = first_line(file)) {
      if (const auto limit = leading_number(*line); limit && is_amount(*limit)) {
        result = std::min(result.value_or(*limit), *limit);
      }
    }
  };
  const Groups groups = own_groups(roots);
  for (const fs::path& group : groups.unified) {
    limit_by(group / "memory.max");
  }
  for (const fs::path& group : groups.memory) {
    limit_by(group / "memory.limit_in_bytes");
  }
  return result;
}

int default_threads(const MachineRoots& roots) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  int threads = 0;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    std::set<std::string> cores;  // each named by its hardware threads
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) {
        const fs::path file =
            roots.sysfs /
            fmt::format("devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu);
        cores.insert(first_line(file).value_or(fmt::format("cpu{}", cpu)));
      }
    }
    threads = static_cast<int>(cores.size());
  } else {  // more CPUs than cpu_set_t holds
    threads = static_cast<int>(std::thread::hardware_concurrency());
  }
  if (const auto quota = quota_threads(own_groups(roots))) {
    threads = std::min(threads, *quota);
  }
  return std::max(threads, 1);
}

}  // namespace enprof

#endif
