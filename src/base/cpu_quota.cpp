#include "base/cpu_quota.hpp"

#include "base/first_line.hpp"
#include "base/kernel_text.hpp"

#include <algorithm>
#include <string_view>

namespace enprof {
namespace {

/// Where this process is in the hierarchies of /proc/self/cgroup: cgroups(7).
struct Groups {
  std::optional<std::string> v2;
  std::optional<std::string> v1;  // of the hierarchy with the cpu controller
};

bool has_item(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == item) {
      return true;
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

Groups own_groups(std::string_view text) {
  Groups groups;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);  // 4:cpu,cpuacct:/user.slice
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second != std::string_view::npos) {
      const std::string_view controllers = line.substr(first + 1, second - first - 1);
      const std::string path(line.substr(second + 1));
      if (line.starts_with("0:") && controllers.empty()) {
        groups.v2 = path;
      } else if (has_item(controllers, "cpu")) {
        groups.v1 = path;
      }
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return groups;
}

/// A group and those around it, the root first. Without a cgroup namespace a container sees the
/// group's path on the host, which does not exist here: the root is then its own group.
std::vector<std::filesystem::path> lineage(const std::filesystem::path& root,
                                           const std::string& group) {
  std::vector<std::filesystem::path> result{root};
  for (const auto& part : std::filesystem::path(group).relative_path()) {
    if (part == ".." || part.empty()) {  // outside this namespace
      break;
    }
    result.push_back(result.back() / part);
  }
  return result;
}

std::optional<CpuQuotaCounters> read_v2(const std::filesystem::path& group) {
  const auto stat = text_of(group / "cpu.stat");
  const auto periods = number_after(stat.value_or(""), "nr_periods");
  const auto throttled = number_after(stat.value_or(""), "nr_throttled");
  const auto microseconds = number_after(stat.value_or(""), "throttled_usec");
  if (!periods || !throttled || !microseconds) {
    return std::nullopt;
  }
  CpuQuotaCounters counters{
      .group = group.string(),
      .cpus = {},
      .periods = *periods,
      .throttled_periods = *throttled,
      .withheld = std::chrono::microseconds{static_cast<std::int64_t>(*microseconds)}};
  const std::string line = first_line_of(group / "cpu.max");  // "max 100000" or "50000 100000"
  if (const auto words = words_of(line); words.size() == 2) {
    const auto quota = whole_number_in(words[0]);
    const auto period = whole_number_in(words[1]);
    if (quota && period && *period > 0) {
      counters.cpus = static_cast<double>(*quota) / static_cast<double>(*period);
    }
  }
  return counters;
}

std::optional<CpuQuotaCounters> read_v1(const std::filesystem::path& group) {
  const auto stat = text_of(group / "cpu.stat");
  const auto periods = number_after(stat.value_or(""), "nr_periods");
  const auto throttled = number_after(stat.value_or(""), "nr_throttled");
  const auto nanoseconds = number_after(stat.value_or(""), "throttled_time");
  if (!periods || !throttled || !nanoseconds) {
    return std::nullopt;
  }
  CpuQuotaCounters counters{.group = group.string(),
                            .cpus = {},
                            .periods = *periods,
                            .throttled_periods = *throttled,
                            .withheld = Nanoseconds{static_cast<std::int64_t>(*nanoseconds)}};
  const auto quota = number_of(group / "cpu.cfs_quota_us");  // -1: none
  const auto period = number_of(group / "cpu.cfs_period_us");
  if (quota && period && *period > 0) {
    counters.cpus = static_cast<double>(*quota) / static_cast<double>(*period);
  }
  return counters;
}

template <class Read>
std::vector<CpuQuotaCounters> read_all(const std::filesystem::path& root, const std::string& group,
                                       const Read& read) {
  std::vector<CpuQuotaCounters> result;
  for (const auto& each : lineage(root, group)) {
    if (auto counters = read(each)) {
      result.push_back(*std::move(counters));
    }
  }
  return result;
}

}  // namespace

std::vector<CpuQuotaCounters> read_cpu_quotas(const std::filesystem::path& procfs_root,
                                              const std::filesystem::path& sysfs_root) {
  const Groups groups = own_groups(text_of(procfs_root / "self" / "cgroup").value_or(""));
  const std::filesystem::path mounts = sysfs_root / "fs" / "cgroup";
  if (groups.v2) {
    for (const auto& root : {mounts, mounts / "unified"}) {  // hybrid systems have the latter
      if (auto found = read_all(root, *groups.v2, read_v2); !found.empty()) {
        return found;
      }
    }
  }
  if (groups.v1) {
    for (const auto& root : {mounts / "cpu", mounts / "cpu,cpuacct"}) {
      if (auto found = read_all(root, *groups.v1, read_v1); !found.empty()) {
        return found;
      }
    }
  }
  return {};
}

std::optional<CpuThrottling> throttling_between(const std::vector<CpuQuotaCounters>& begin,
                                                const std::vector<CpuQuotaCounters>& end) {
  std::optional<CpuThrottling> most;
  for (const CpuQuotaCounters& after : end) {
    const auto before = std::ranges::find(begin, after.group, &CpuQuotaCounters::group);
    if (before == begin.end() || after.periods < before->periods ||
        after.throttled_periods < before->throttled_periods || after.withheld < before->withheld) {
      continue;  // another group of that name
    }
    const auto periods = after.periods - before->periods;
    const auto throttled = after.throttled_periods - before->throttled_periods;
    const double share =
        periods > 0 ? static_cast<double>(throttled) / static_cast<double>(periods) : 0.0;
    if (!most || share > most->share) {
      most = CpuThrottling{
          .cpus = after.cpus, .share = share, .withheld = after.withheld - before->withheld};
    }
  }
  return most;
}

}  // namespace enprof
