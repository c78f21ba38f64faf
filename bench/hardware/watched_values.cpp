#include "watched_values.hpp"

#include "power/counter/counter_file.hpp"
#include "power/nvml/nvml_api.hpp"
#include "power/rapl/rapl_zones.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace enprof::hardware {
namespace {

void find_rapl(const PowerEnvironment& environment, WatchedValues& found) {
  const auto zones = find_rapl_zones(environment.sysfs_root, environment.procfs_root);
  if (!zones) {
    found.notes.push_back("rapl: " + zones.error().message);
    return;
  }
  for (const RaplZone& zone : *zones) {
    auto file = std::make_shared<CounterFile>(zone.files.energy);
    if (const auto value = file->read(); !value) {
      found.notes.push_back(fmt::format("rapl {}: {}", zone.domain.name, value.error().message));
      continue;
    }
    found.values.push_back({.name = zone.domain.name,
                            .unit = "uJ",
                            .counts = true,
                            .wraps_at = zone.files.range_uj,
                            .read = [file]() -> std::optional<std::uint64_t> {
                              const auto value = file->read();
                              return value ? std::optional{*value} : std::nullopt;
                            }});
  }
}

std::optional<std::uint64_t> milliwatts(const NvmlLibrary::Answer<Watts>& power) {
  if (!power) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(std::llround(power->value() * 1e3));
}

void find_nvml(const PowerEnvironment& environment, WatchedValues& found) {
  auto library = NvmlLibrary::open(environment.nvml_library);
  if (!library) {
    found.notes.push_back("nvml: " + library.error().message);
    return;
  }
  found.nvml = std::move(*library);
  const NvmlLibrary& nvml = *found.nvml;
  const unsigned count = nvml.device_count().value_or(0);
  for (unsigned index = 0; index < count; ++index) {
    const auto device = nvml.device(index);
    if (!device) {
      found.notes.push_back(fmt::format("gpu-{}: {}", index, nvml.describe(device.error())));
      continue;
    }
    const auto add = [&](const char* what, const char* unit, bool counts, auto read) {
      const auto first = read();
      if (!first) {
        found.notes.push_back(
            fmt::format("gpu-{} {}: {}", index, what, nvml.describe(first.error())));
        return;
      }
      found.values.push_back(
          {.name = fmt::format("gpu-{} {}", index, what),
           .unit = unit,
           .counts = counts,
           .wraps_at = {},
           .read = [read]() -> std::optional<std::uint64_t> {
             const auto value = read();
             if constexpr (std::is_same_v<std::decay_t<decltype(*value)>, Watts>) {
               return milliwatts(value);
             } else {
               return value ? std::optional{*value} : std::nullopt;
             }
           }});
    };
    add("energy", "mJ", true, [&nvml, device] { return nvml.total_energy_mj(*device); });
    add("power", "mW", false, [&nvml, device] { return nvml.power_usage(*device); });
    add("power instant", "mW", false, [&nvml, device] {
      return nvml.power_field(*device, nvml::kFieldPowerInstant, nvml::kScopeGpu);
    });
    // A superchip's: its energy counter counts the same.
    add("power module", "mW", false, [&nvml, device] {
      return nvml.power_field(*device, nvml::kFieldPowerInstant, nvml::kScopeModule);
    });
    add("power average", "mW", false, [&nvml, device] {
      return nvml.power_field(*device, nvml::kFieldPowerAverage, nvml::kScopeGpu);
    });
  }
}

}  // namespace

WatchedValues find_values(const PowerEnvironment& environment) {
  WatchedValues found;
  find_rapl(environment, found);
  find_nvml(environment, found);
  return found;
}

}  // namespace enprof::hardware
