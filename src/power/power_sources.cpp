#include "power/power_sources.hpp"

#include "base/log.hpp"
#include "power/estimate_source.hpp"
#include "power/nvml_source.hpp"
#include "power/rapl_source.hpp"
#include "power/replay_source.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};
constexpr std::string_view kReplayPrefix = "replay:";

using SourceResult = Result<std::unique_ptr<PowerSource>>;

template <class Source>
SourceResult open_source(const PowerEnvironment& environment) {
  auto source = Source::open(environment);
  if (!source) {
    return std::unexpected(std::move(source.error()));
  }
  return std::unique_ptr<PowerSource>(std::move(*source));
}

/// Sources of this machine, the best first: `auto` takes the first that works.
struct SourceKind {
  std::string_view name;
  SourceResult (*open)(const PowerEnvironment& environment);
};
constexpr std::array<SourceKind, 3> kMachineSources{{
    {"rapl", open_source<RaplSource>},
    {"nvml", open_source<NvmlSource>},
    {"estimate", open_source<EstimateSource>},
}};

Result<OpenedSources> one(SourceResult source) {
  if (!source) {
    return std::unexpected(std::move(source.error()));
  }
  OpenedSources opened;
  opened.sources.push_back(std::move(*source));
  return opened;
}

Result<OpenedSources> open_best(const PowerEnvironment& environment) {
  std::vector<std::string> notes;
  std::string failures;
  Error last;
  for (const SourceKind& kind : kMachineSources) {
    auto source = kind.open(environment);
    if (source) {
      kLog.info("Power source: {}: {}", kind.name, (*source)->description());
      auto opened = one(std::move(source));
      opened->notes = std::move(notes);
      return opened;
    }
    last = std::move(source.error());
    // What the user asked for and cannot have is no reason to take something else.
    if (last.code == ErrorCode::invalid_argument) {
      return std::unexpected(std::move(last));
    }
    kLog.info("Power source {} is not used: {}. {}", kind.name, last.message, last.hint);
    notes.push_back(fmt::format("not {}: {}", kind.name, last.message));
    failures += fmt::format("; {}: {}", kind.name, last.message);
  }
  return fail(ErrorCode::unavailable, "No power source works here" + failures,
              "Profile without power: --power none. `enprof doctor` says what would help.");
}

}  // namespace

Result<OpenedSources> open_sources(std::string_view name, const PowerEnvironment& environment) {
  if (name == "auto") {
    return open_best(environment);
  }
  if (name == "none") {
    return OpenedSources{};
  }
  if (name.starts_with(kReplayPrefix) && name.size() > kReplayPrefix.size()) {
    auto source =
        ReplaySource::open(std::string(name.substr(kReplayPrefix.size())), *environment.clock);
    if (!source) {
      return std::unexpected(std::move(source.error()));
    }
    return one(std::unique_ptr<PowerSource>(std::move(*source)));
  }
  for (const SourceKind& kind : kMachineSources) {
    if (kind.name == name) {
      return one(kind.open(environment));
    }
  }
  return fail(ErrorCode::invalid_argument, fmt::format("There is no power source '{}'", name),
              fmt::format("Choose one of: {}", power_source_names()));
}

std::vector<SourceStatus> survey_sources(const PowerEnvironment& environment) {
  std::vector<SourceStatus> result;
  for (const SourceKind& kind : kMachineSources) {
    const auto source = kind.open(environment);
    result.push_back({.name = std::string(kind.name),
                      .works = source.has_value(),
                      .detail = source ? (*source)->description() : source.error().message,
                      .fix = source ? "" : source.error().hint});
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
