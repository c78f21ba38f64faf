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

std::optional<std::uint64_t> physical_memory(const fs::path& procfs) {
  constexpr std::string_view kLabel = "MemTotal:";
  std::ifstream in(procfs / "meminfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(kLabel)) {
      const auto kibibytes = leading_number(std::string_view(line).substr(kLabel.size()));
      return kibibytes ? std::optional(*kibibytes * 1024) : std::nullopt;
    }
  }
  return std::nullopt;
}

/// The group's directory and those above it: a limit anywhere on the way holds.
std::vector<fs::path> with_ancestors(const fs::path& mount, std::string_view group) {
  std::vector<fs::path> result;
  for (fs::path below = fs::path(group).relative_path(); !below.empty();
       below = below.parent_path()) {
    result.push_back(mount / below);
  }
  result.push_back(mount);
  return result;
}

struct Groups {
  std::vector<fs::path> unified;  // cgroup v2
  std::vector<fs::path> memory;   // cgroup v1
};

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
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    const std::string_view group = std::string_view(line).substr(second + 1);
    if (controllers == ",,") {
      result.unified = with_ancestors(mount, group);
    } else if (controllers.find(",memory,") != std::string::npos) {
      result.memory = with_ancestors(mount / "memory", group);
    }
  }
  return result;
}

/// CPUs that the group's quota allows, "MICROSECONDS PERIOD" in cpu.max; empty where unlimited.
std::optional<int> quota_cpus(const std::vector<fs::path>& groups) {
  std::optional<int> result;
  for (const fs::path& group : groups) {
    const std::string line = first_line(group / "cpu.max").value_or("");
    const auto quota = leading_number(line);
    const auto period =
        leading_number(std::string_view(line).substr(std::min(line.find(' '), line.size())));
    if (quota && period && *period > 0) {
      const int cpus =
          static_cast<int>(std::ceil(static_cast<double>(*quota) / static_cast<double>(*period)));
      result = std::min(result.value_or(cpus), cpus);
    }
  }
  return result;
}

}  // namespace

std::optional<std::uint64_t> usable_memory(const MachineRoots& roots) {
  std::optional<std::uint64_t> result = physical_memory(roots.procfs);
  const auto limit_by = [&result](const fs::path& file) {
    if (const auto line = first_line(file)) {
      if (const auto limit = leading_number(*line)) {
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
    std::set<std::string> cores;  // named by the hardware threads that share one
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) {
        const fs::path file =
            roots.sysfs /
            fmt::format("devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu);
        cores.insert(first_line(file).value_or(fmt::format("cpu{}", cpu)));
      }
    }
    threads = static_cast<int>(cores.size());
  } else {  // more CPUs than the set holds
    threads = static_cast<int>(std::thread::hardware_concurrency());
  }
  if (const auto quota = quota_cpus(own_groups(roots).unified)) {
    threads = std::min(threads, *quota);
  }
  return std::max(threads, 1);
}

}  // namespace enprof

#endif
