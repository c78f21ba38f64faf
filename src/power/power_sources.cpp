#include "power/power_sources.hpp"

#include "base/log.hpp"
#include "base/lower_case.hpp"
#include "base/nearest_name.hpp"
#include "power/battery/battery_source.hpp"
#include "power/counter/counter_reading.hpp"
#include "power/estimate/estimate_source.hpp"
#include "power/hwmon/hwmon_source.hpp"
#include "power/nvml/nvml_source.hpp"
#include "power/powermetrics/powermetrics_source.hpp"
#include "power/rapl/rapl_source.hpp"
#include "power/replay/replay_source.hpp"
#include "power/sampler/power_sampler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};
constexpr std::string_view kReplayPrefix = "replay:";

bool is_replay(std::string_view name) {
  return lower_case(name.substr(0, kReplayPrefix.size())) == kReplayPrefix;
}

/// A file's name may hold commas: a replay is the last of a list.
std::vector<std::string_view> split_names(std::string_view names) {
  std::vector<std::string_view> result;
  while (true) {
    const auto comma = is_replay(names) ? std::string_view::npos : names.find(',');
    result.push_back(names.substr(0, comma));
    if (comma == std::string_view::npos) {
      return result;
    }
    names.remove_prefix(comma + 1);
  }
}

using SourceResult = Result<std::unique_ptr<PowerSource>>;

template <class Source>
SourceResult open_source(const PowerEnvironment& environment) {
  auto source = Source::open(environment);
  if (!source) {
    return std::unexpected(std::move(source.error()));
  }
  return std::unique_ptr<PowerSource>(std::move(*source));
}

/// What a source is to `auto`.
enum class Role : std::uint8_t {
  processor,   ///< measures CPUs: of these the first that works is taken
  estimate,    ///< the same, where no processor source works
  beside,      ///< measures something else: each that works is taken too
  on_request,  ///< only by name
};

/// It is part of macOS: elsewhere it is not worth a word that it was looked for.
#if defined(__APPLE__)
constexpr Role kPowermetricsRole = Role::processor;
#else
constexpr Role kPowermetricsRole = Role::on_request;
#endif

/// Sources of this machine: this table is the one place that names them. Of each role the best
/// comes first. To add one, add a line.
struct SourceKind {
  std::string_view name;
  Role role;
  SourceResult (*open)(const PowerEnvironment& environment);
  /// What `auto` opens of it, where that is not all.
  SourceResult (*open_part)(const PowerEnvironment& environment) = nullptr;
};

/// A meter that sees the whole machine would stand for all that finer ones see, though it measures
/// only about once a second: `auto` does not take it.
SourceResult open_hwmon_gpus(const PowerEnvironment& environment) {
  auto source = HwmonSource::open(environment, HwmonSource::Which::gpus);
  if (!source) {
    return std::unexpected(std::move(source.error()));
  }
  return std::unique_ptr<PowerSource>(std::move(*source));
}

constexpr std::array<SourceKind, 6> kMachineSources{{
    {"rapl", Role::processor, open_source<RaplSource>},
    {"powermetrics", kPowermetricsRole, open_source<PowermetricsSource>},
    {"estimate", Role::estimate, open_source<EstimateSource>},
    {"nvml", Role::beside, open_source<NvmlSource>},
    {"hwmon", Role::beside, open_source<HwmonSource>, open_hwmon_gpus},
    {"battery", Role::on_request, open_source<BatterySource>},
}};

const SourceKind* find_kind(std::string_view name) {
  const auto* const kind = std::ranges::find(kMachineSources, lower_case(name), &SourceKind::name);
  return kind == kMachineSources.end() ? nullptr : kind;
}

/// "; did you mean rapl?" where a name is near.
std::string did_you_mean(std::string_view name) {
  std::vector<std::string_view> known{"auto", "none", "replay:FILE"};
  for (const SourceKind& kind : kMachineSources) {
    known.push_back(kind.name);
  }
  const auto meant = lower_case(name).starts_with("replay")
                         ? std::optional<std::string_view>{"replay:FILE"}
                         : nearest_name(name, known);
  return meant ? fmt::format("; did you mean {}?", *meant) : std::string{};
}

/// Opens what a list of names asks for, one after the other.
class Opening {
 public:
  explicit Opening(const PowerEnvironment& environment) : environment_(environment) {}

  Result<OpenedSources> open(std::string_view names) {
    names_ = names;
    const std::vector<std::string_view> list = split_names(names);
    is_list_ = list.size() > 1;
    if (is_list_ && std::ranges::find(list, std::string_view{}) != list.end()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("A power source in the list {} has an empty name", names_),
                  "Remove the comma beside which there is no name.");
    }
    for (const std::string_view name : list) {
      if (auto added = add(name); !added) {
        return std::unexpected(std::move(added.error()));
      }
    }
    return std::move(opened_);
  }

 private:
  Result<void> add(std::string_view name) {
    if (lower_case(name) == "none") {
      return is_list_
                 ? fail(ErrorCode::invalid_argument,
                        fmt::format("The power source \"none\" is named with others: {}", names_),
                        "Pass --power none alone to measure no power, or leave \"none\" out of "
                        "the list.")
                 : Result<void>{};
    }
    if (lower_case(name) == "auto") {
      return add_best();
    }
    if (is_replay(name) && name.size() > kReplayPrefix.size()) {
      return take(open_replay(name.substr(kReplayPrefix.size())));
    }
    const SourceKind* const kind = find_kind(name);
    if (kind == nullptr) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("There is no power source '{}'{}", name, did_you_mean(name)),
                  fmt::format("Choose one of: {}; or several of them, with commas between",
                              power_source_names()));
    }
    if (is_open(kind->name)) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("The power source {} is named twice", name),
                  "Name each once, for example --power rapl,estimate");
    }
    return take(kind->open(environment_));
  }

  /// The best source of the CPUs, and every other one that works.
  Result<void> add_best() {
    bool has_processor = false;
    std::string failures;
    const std::size_t before = opened_.sources.size();
    for (const SourceKind& kind : kMachineSources) {
      const bool wanted =
          kind.role == Role::beside || (kind.role != Role::on_request && !has_processor);
      if (!wanted || is_open(kind.name)) {
        continue;
      }
      auto source = (kind.open_part != nullptr ? kind.open_part : kind.open)(environment_);
      if (source) {
        has_processor = has_processor || kind.role != Role::beside;
        kLog.info("Power source: {}: {}", kind.name, (*source)->description());
        opened_.sources.push_back(std::move(*source));
        continue;
      }
      const Error& error = source.error();
      // An option that cannot be met is an error: another source would hide it.
      if (error.code == ErrorCode::invalid_argument) {
        return std::unexpected(error);
      }
      kLog.info("Power source {} is not used: {}. {}", kind.name, error.message, error.hint);
      if (error.code == ErrorCode::permission_denied) {
        opened_.refused.push_back(
            {.name = std::string(kind.name), .message = error.message, .hint = error.hint});
      }
      // A machine without a GPU is not worth a note; one whose GPU cannot be read is.
      if (kind.role != Role::beside || error.code != ErrorCode::not_found) {
        opened_.notes.push_back(fmt::format("{} is not used: {}", kind.name, error.message));
      }
      failures += fmt::format("; {}: {}", kind.name, error.message);
    }
    if (opened_.sources.size() == before) {
      return fail(
          ErrorCode::unavailable, "No power source works here" + failures,
          "`enprof doctor` shows what would help. With --power none only times are measured.");
    }
    return {};
  }

  SourceResult open_replay(std::string_view file) const {
    auto source = ReplaySource::open(std::string(file), *environment_.clock);
    if (!source) {
      return std::unexpected(std::move(source.error()));
    }
    return std::unique_ptr<PowerSource>(std::move(*source));
  }

  Result<void> take(SourceResult source) {
    if (!source) {
      return std::unexpected(std::move(source.error()));
    }
    opened_.sources.push_back(std::move(*source));
    return {};
  }

  [[nodiscard]] bool is_open(std::string_view name) const {
    return std::ranges::any_of(opened_.sources,
                               [&](const auto& source) { return source->name() == name; });
  }

  const PowerEnvironment& environment_;
  std::string_view names_;  // of all that is to be opened
  OpenedSources opened_;
  bool is_list_ = false;
};

/// Reads sources for a moment, to find the warnings that a run with them would have.
void try_out(const PowerEnvironment& environment,
             const std::vector<std::shared_ptr<PowerSampler>>& samplers,
             std::vector<SourceStatus>& statuses) {
  const Sleeper* const sleeper = waiting_sleeper_of(environment);
  std::vector<bool> started(samplers.size());
  for (std::size_t index = 0; index < samplers.size(); ++index) {
    if (samplers[index] == nullptr) {
      continue;
    }
    const auto begun = samplers[index]->start(std::nullopt);
    started[index] = begun.has_value();
    if (!begun) {
      statuses[index] = {.name = statuses[index].name,
                         .works = false,
                         .detail = begun.error().message,
                         .fix = begun.error().hint};
    }
  }
  const Instant begin = environment.clock->now();
  if (sleeper != nullptr) {
    sleeper->sleep_until(begin + PowerMonitor::kSurvey);
  }
  for (std::size_t index = 0; index < samplers.size(); ++index) {
    if (!started[index]) {
      continue;
    }
    PowerSampler& sampler = *samplers[index];
    sampler.sync();
    statuses[index].warnings = sampler.warnings();
    std::ranges::move(sampler.trusted_domains(begin, environment.clock->now()).warnings,
                      std::back_inserter(statuses[index].warnings));
    sampler.stop();
  }
}

}  // namespace

Result<OpenedSources> open_sources(std::string_view names, const PowerEnvironment& environment) {
  for (const auto& [source, share] : environment.relative_uncertainty) {
    if (!source.empty() && source != "replay" && find_kind(source) == nullptr) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("There is no power source '{}' whose accuracy could be set{}", source,
                              did_you_mean(source)),
                  fmt::format("Name one of {}, for example --sensor-accuracy rapl=2",
                              power_source_names()));
    }
    if (!(share >= 0.0 && share < 1.0)) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("An accuracy of {:g} % is not possible", 100.0 * share),
                  "Pass one standard deviation in per cent of the energy: 0 to 99.");
    }
  }
  return Opening(environment).open(names);
}

bool names_required(std::string_view names) {
  return std::ranges::any_of(split_names(names), [](std::string_view name) {
    return is_replay(name) || lower_case(name) == "battery";
  });
}

bool is_source_available(const PowerEnvironment& environment) {
  return std::ranges::any_of(kMachineSources, [&](const SourceKind& kind) {
    return kind.role != Role::estimate && kind.open(environment).has_value();
  });
}

std::vector<SourceStatus> survey_sources(const PowerEnvironment& environment) {
  std::vector<SourceStatus> result;
  std::vector<std::shared_ptr<PowerSampler>> samplers;  // by kind; null where it does not work
  bool any = false;
  for (const SourceKind& kind : kMachineSources) {
    auto source = kind.open(environment);
    result.push_back({.name = std::string(kind.name),
                      .works = source.has_value(),
                      .detail = source ? (*source)->description() : source.error().message,
                      .fix = source ? "" : source.error().hint});
    samplers.emplace_back();
    if (source) {
      std::vector<std::unique_ptr<PowerSource>> alone;
      alone.push_back(std::move(*source));
      samplers.back() = std::make_shared<PowerSampler>(std::move(alone), *environment.clock);
      any = true;
    }
  }
  if (any) {
    try_out(environment, samplers, result);
  }
  return result;
}

std::string power_source_names() {
  std::string names = "auto";
  for (const SourceKind& kind : kMachineSources) {
    names += fmt::format(", {}", kind.name);
  }
  return names + ", replay:FILE, none";
}

}  // namespace enprof
