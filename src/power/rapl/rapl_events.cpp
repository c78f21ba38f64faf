#include "power/rapl/rapl_events.hpp"

#include "base/first_line.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kEvents{{
    {"energy-psys", "psys"},
    {"energy-pkg", "package"},
    {"energy-cores", "core"},
    {"energy-gpu", "uncore"},
    {"energy-ram", "dram"},
}};

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  int base = 10;
  if (text.starts_with("0x")) {
    text.remove_prefix(2);
    base = 16;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty()
             ? std::optional{value}
             : std::nullopt;
}

template <class Number>
std::optional<Number> number_in(const std::filesystem::path& path) {
  return number<Number>(first_line_of(path));
}

/// "0,24" and "0-3" alike; empty where it is no list of CPUs.
std::vector<int> cpu_list(std::string_view text) {
  constexpr int kMost = 1 << 16;
  std::vector<int> cpus;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const auto dash = item.find('-');
    const auto first = number<int>(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number<int>(item.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last >= kMost) {
      return {};
    }
    for (int cpu = *first; cpu <= *last; ++cpu) {
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

struct Package {
  int number = 0;  // as find_rapl_zones gives it
  std::optional<int> die_of;
};

/// The package of each CPU.
std::map<int, Package> number_packages(const std::filesystem::path& sysfs_root,
                                       const std::vector<int>& cpus) {
  std::map<std::pair<int, int>, int> dies;
  std::map<int, std::pair<int, int>> die_of;
  bool several = false;
  for (std::size_t index = 0; index < cpus.size(); ++index) {
    const auto topology =
        sysfs_root / "devices" / "system" / "cpu" / fmt::format("cpu{}", cpus[index]) / "topology";
    const int socket =
        number_in<int>(topology / "physical_package_id").value_or(static_cast<int>(index));
    const int die = number_in<int>(topology / "die_id").value_or(0);
    several = several || std::ranges::any_of(dies, [&](const auto& entry) {
                return entry.first.first == socket && entry.first.second != die;
              });
    dies[{socket, die}] = 0;
    die_of[cpus[index]] = {socket, die};
  }
  int next = 0;
  for (auto& [die, package] : dies) {
    package = several ? next++ : die.first;
  }
  std::map<int, Package> packages;
  for (const auto& [cpu, die] : die_of) {
    packages[cpu] = {.number = dies[die],
                     .die_of = several ? std::optional{die.first} : std::nullopt};
  }
  return packages;
}

/// What the files of one event hold; empty if one is missing or malformed.
std::optional<std::pair<std::uint64_t, Joules>> config_and_unit(const std::filesystem::path& events,
                                                                std::string_view name) {
  const std::string line = first_line_of(events / name);
  constexpr std::string_view kKey = "event=";
  if (!line.starts_with(kKey)) {
    return std::nullopt;
  }
  const auto config = number<std::uint64_t>(std::string_view(line).substr(kKey.size()));
  const std::string unit = first_line_of(events / fmt::format("{}.unit", name));
  const std::string text = first_line_of(events / fmt::format("{}.scale", name));
  double scale = 0;
  const bool scaled =
      std::from_chars(text.data(), text.data() + text.size(), scale).ec == std::errc{};
  if (!config || unit != "Joules" || !scaled || !(scale > 0) || !std::isfinite(scale)) {
    kLog.warning("The perf event power/{}/ is left out: its files hold '{}', '{}' and '{}'", name,
                 line, text, unit);
    return std::nullopt;
  }
  return std::pair{*config, Joules{scale}};
}

}  // namespace

Result<std::vector<RaplEvent>> find_rapl_events(const std::filesystem::path& sysfs_root) {
  const auto pmu = sysfs_root / "bus" / "event_source" / "devices" / "power";
  const auto type = number_in<std::uint32_t>(pmu / "type");
  if (!type) {
    return fail(ErrorCode::not_found, fmt::format("{} is missing", (pmu / "type").string()));
  }
  const std::string mask = first_line_of(pmu / "cpumask");
  const std::vector<int> cpus = cpu_list(mask);
  if (cpus.empty()) {
    return fail(ErrorCode::not_found, fmt::format("{} holds '{}' where CPUs should be",
                                                  (pmu / "cpumask").string(), mask));
  }
  const auto packages = number_packages(sysfs_root, cpus);
  std::vector<RaplEvent> events;
  for (const auto& [name, domain] : kEvents) {
    const auto known = config_and_unit(pmu / "events", name);
    if (!known) {
      continue;
    }
    const bool is_platform = domain == "psys";
    for (const int cpu : cpus) {
      events.push_back({.domain = domain_from_name(
                            is_platform ? std::string(domain)
                                        : fmt::format("{}-{}", domain, packages.at(cpu).number)),
                        .event = {.type = *type,
                                  .config = known->first,
                                  .cpu = cpu,
                                  .name = fmt::format("power/{}/", name)},
                        .unit = known->second,
                        .die_of = is_platform ? std::nullopt : packages.at(cpu).die_of});
      if (is_platform) {
        break;
      }
    }
  }
  if (events.empty()) {
    return fail(ErrorCode::not_found,
                fmt::format("There is no energy event in {}", (pmu / "events").string()));
  }
  return events;
}

}  // namespace enprof
