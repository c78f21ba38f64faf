// Layers, components, operations and sampled values of a run as JSON.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/json_figures.hpp"

#include <string>

namespace enprof {

/// `layer` is null outside the layers, `token` for the prompt.
[[nodiscard]] Json layers_json(const ProfiledRun& run);
[[nodiscard]] Json components_json(const ProfiledRun& run);
[[nodiscard]] Json operations_json(const ProfiledRun& run);
[[nodiscard]] Json values_json(const ProfiledRun& run);

/// {coverage, operations[], event_columns[], events[]} on one line for each operation and event, in
/// a document indented by two: a million events fit into 60 MB. `events` are arrays in the order of
/// `event_columns`; `operation` is an index into `operations`.
[[nodiscard]] std::string operation_table_text(const ProfiledRun& run);

}  // namespace enprof
