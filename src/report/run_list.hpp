// The history as a table.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "report/text_table.hpp"

#include <string>

namespace enprof {

/// One line a run, newest first, and a line that says how many there are beyond.
[[nodiscard]] std::string run_list(const RunList& list, const RunFilter& filter,
                                   const Terminal& terminal);
/// The same as JSON: {"total", "runs": […]}.
[[nodiscard]] std::string run_list_to_json(const RunList& list);

}  // namespace enprof
