// A run as JSON, for `--json`, `export` and the HTTP API.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <string>

namespace enprof {

/// The run as a JSON object, indented, with a newline at the end. Keys carry their units; what was
/// not measured is null; text that is not UTF-8 has its bad bytes replaced by U+FFFD.
[[nodiscard]] std::string run_to_json(const ProfiledRun& run);

}  // namespace enprof
