#include "limits/power_limits.hpp"

#include "base/directory_names.hpp"
#include "base/kernel_text.hpp"
#include "power/nvml/nvml_library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace enprof {
namespace {

constexpr std::int64_t kMicrowatts = 1'000'000;
constexpr std::int64_t kMilliwatts = 1'000;
constexpr std::int64_t kKilohertz = 1'000;

struct Kind {
  int PowerLimitValues::* wanted;
  std::string_view name;
  std::string_view unit;
  std::string_view absent;
  std::string_view hint;
};
constexpr std::array kKinds{
    Kind{&PowerLimitValues::cpu_power_w, "power limit of the CPUs", "W",
         "This machine has no power limit of its CPUs that can be set: /sys/class/powercap has no "
         "package with one",
         "Most virtual machines have none. On hardware: sudo modprobe intel_rapl_msr"},
    Kind{&PowerLimitValues::gpu_power_w, "power limit of the GPUs", "W",
         "This machine has no GPU whose power limit can be set",
         "nvidia-smi -q -d POWER shows it."},
    Kind{
        &PowerLimitValues::cpu_frequency_mhz, "highest frequency of the CPUs", "MHz",
        "This machine has no CPU frequency that can be set: /sys/devices/system/cpu/cpufreq has no "
        "policy",
        "Most virtual machines have none."}};

std::optional<std::int64_t> number_in(const std::filesystem::path& path) {
  const auto number = number_of(path);
  return number ? std::optional{static_cast<std::int64_t>(*number)} : std::nullopt;
}

std::vector<std::string> sorted_names(const std::filesystem::path& directory) {
  std::vector<std::string> names = names_in(directory);
  std::ranges::sort(names);
  return names;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}

}  // namespace

void PowerLimits::find_packages() {
  const std::filesystem::path tree = options_.sysfs_root / "class/powercap";
  for (const std::string& name : sorted_names(tree)) {
    const std::filesystem::path zone = tree / name;
    const auto zone_name = text_of(zone / "name");
    if (!name.starts_with("intel-rapl:") || !zone_name || !zone_name->starts_with("package")) {
      continue;
    }
    bool has_limit = false;
    constexpr int kMostConstraints = 4;
    for (int index = 0; index < kMostConstraints; ++index) {
      const auto file = [&](std::string_view what) {
        return zone / fmt::format("constraint_{}_{}", index, what);
      };
      const std::string term = trimmed(text_of(file("name")).value_or(std::string{}));
      const auto present = number_in(file("power_limit_uw"));
      if ((term != "long_term" && term != "short_term") || !present) {
        continue;
      }
      has_limit = true;
      const auto most = number_in(file("max_power_uw"));
      knobs_.push_back({.found = {.target = file("power_limit_uw").string(), .value = *present},
                        .wanted = &PowerLimitValues::cpu_power_w,
                        .per_unit = kMicrowatts,
                        .least = 1,
                        // Some firmware says 0 where it does not know.
                        .most = most && *most > 0 ? most : std::nullopt});
    }
    const auto enabled = number_in(zone / "enabled");
    if (has_limit && enabled) {
      knobs_.push_back({.found = {.target = (zone / "enabled").string(), .value = *enabled},
                        .wanted = &PowerLimitValues::cpu_power_w,
                        .is_switch = true});
    }
  }
}

void PowerLimits::find_frequencies() {
  const std::filesystem::path tree = options_.sysfs_root / "devices/system/cpu/cpufreq";
  for (const std::string& name : sorted_names(tree)) {
    const std::filesystem::path policy = tree / name;
    const auto present = number_in(policy / "scaling_max_freq");
    if (name.starts_with("policy") && present) {
      knobs_.push_back(
          {.found = {.target = (policy / "scaling_max_freq").string(), .value = *present},
           .wanted = &PowerLimitValues::cpu_frequency_mhz,
           .per_unit = kKilohertz,
           .least = number_in(policy / "cpuinfo_min_freq"),
           .most = number_in(policy / "cpuinfo_max_freq")});
    }
  }
}

void PowerLimits::find_gpus() {
  const auto library = NvmlLibrary::open(options_.nvml_library);
  if (!library) {
    return;
  }
  const unsigned count = (*library)->device_count().value_or(0);
  for (unsigned index = 0; index < count; ++index) {
    const auto device = (*library)->device(index);
    const auto uuid = device ? (*library)->uuid(*device) : std::unexpected(device.error());
    const auto limit =
        device ? (*library)->power_limit_mw(*device) : std::unexpected(device.error());
    if (!uuid || !limit) {
      continue;
    }
    const auto range = (*library)->power_limit_range_mw(*device);
    Knob& knob = knobs_.emplace_back(Knob{.found = {.kind = LimitSetting::Kind::gpu,
                                                    .target = *uuid,
                                                    .library = options_.nvml_library.string(),
                                                    .value = static_cast<std::int64_t>(*limit)},
                                          .wanted = &PowerLimitValues::gpu_power_w,
                                          .per_unit = kMilliwatts});
    if (range) {
      knob.least = range->first;
      knob.most = range->second;
    }
  }
}

Result<void> PowerLimits::prepare(const std::vector<PowerLimitValues>& all) {
  knobs_.clear();
  for (const Kind& kind : kKinds) {
    if (std::ranges::none_of(
            all, [&](const PowerLimitValues& values) { return values.*kind.wanted != 0; })) {
      continue;
    }
    const std::size_t before = knobs_.size();
    if (kind.wanted == &PowerLimitValues::cpu_power_w) {
      find_packages();
    } else if (kind.wanted == &PowerLimitValues::gpu_power_w) {
      find_gpus();
    } else {
      find_frequencies();
    }
    if (knobs_.size() == before) {
      return fail(ErrorCode::unsupported, std::string{kind.absent}, std::string{kind.hint});
    }
  }
  for (const Knob& knob : knobs_) {
    if (auto allowed = check_limit(knob.found); !allowed) {
      return allowed;
    }
  }
  return {};
}

Result<void> PowerLimits::check_range(const PowerLimitValues& values) const {
  for (const Knob& knob : knobs_) {
    const int wanted = values.*knob.wanted;
    if (wanted == 0 || knob.is_switch) {
      continue;
    }
    const std::int64_t value = wanted * knob.per_unit;
    if ((knob.least && value < *knob.least) || (knob.most && value > *knob.most)) {
      const auto* const kind = std::ranges::find(kKinds, knob.wanted, &Kind::wanted);
      const auto in_units = [&](const std::optional<std::int64_t>& bound) {
        return bound ? fmt::format("{}", *bound / knob.per_unit) : std::string{"?"};
      };
      return fail(ErrorCode::invalid_argument,
                  fmt::format("The {} cannot be {} {}: it may be {} to {} {} ({})", kind->name,
                              wanted, kind->unit, in_units(knob.least), in_units(knob.most),
                              kind->unit, knob.found.target));
    }
  }
  return {};
}

Result<void> PowerLimits::write(const PowerLimitValues& values) {
  for (const Knob& knob : knobs_) {
    LimitSetting setting = knob.found;
    if (const int wanted = values.*knob.wanted; wanted != 0) {
      setting.value = knob.is_switch ? 1 : wanted * knob.per_unit;
    }
    if (auto done = write_limit(setting); !done) {
      return done;
    }
  }
  return {};
}

Result<void> PowerLimits::set(const PowerLimitValues& values) {
  if (auto possible = check_range(values); !possible) {
    return possible;
  }
  if (!guard_) {
    std::vector<LimitSetting> present;
    present.reserve(knobs_.size());
    for (const Knob& knob : knobs_) {
      present.push_back(knob.found);
    }
    auto guard = LimitGuard::start(options_.guard, present);
    if (!guard) {
      return std::unexpected(guard.error());
    }
    guard_ = *std::move(guard);
  }
  if (!guard_->is_alive()) {
    return fail(ErrorCode::process_exited,
                "The process that restores the machine's limits is gone: no limit is changed any "
                "more",
                "Check the machine's limits, and begin anew with --resume.");
  }
  auto written = write(values);
  if (!written) {
    if (const auto back = write({}); !back) {
      written.error().message += "; and then: " + back.error().message;
    }
  }
  return written;
}

Result<void> PowerLimits::restore() {
  if (!guard_) {
    return {};
  }
  LimitGuard guard = *std::move(guard_);
  guard_.reset();
  return guard.release();
}

}  // namespace enprof
