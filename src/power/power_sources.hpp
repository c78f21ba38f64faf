// The kinds of source that enprof knows, by name.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// What was opened, and what people should know of how it was chosen.
struct OpenedSources {
  std::vector<std::unique_ptr<PowerSource>> sources;
  std::vector<std::string> notes;
  std::vector<RefusedSource> refused;
};

/// Opens the sources by the names that PowerMonitor::open takes. If several sources measure the
/// same thing, link_parents decides which one counts: the first that measures.
[[nodiscard]] Result<OpenedSources> open_sources(std::string_view names,
                                                 const PowerEnvironment& environment);
/// Whether a source is named that is chosen for the reading itself, so that a run without it is not
/// what was asked for: a recording, or the battery, which people name after they pulled the plug.
[[nodiscard]] bool names_required(std::string_view names);
/// Whether a source that measures works.
[[nodiscard]] bool is_source_available(const PowerEnvironment& environment);
[[nodiscard]] std::vector<SourceStatus> survey_sources(const PowerEnvironment& environment);
[[nodiscard]] std::string power_source_names();

}  // namespace enprof
