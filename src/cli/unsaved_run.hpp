// Runs that the database could not take.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <string_view>

namespace enprof {

[[nodiscard]] bool has_warning(const ProfiledRun& run, std::string_view code);
/// Whether the database does not have the run, and will not get it without the user.
[[nodiscard]] bool is_unsaved(const ProfiledRun& run);
/// Writes a run that is on no disk, and would be lost with this program, as JSON into the current
/// directory, and says so on stderr. Does nothing for other runs.
void keep_unsaved_run(const ProfiledRun& run);

}  // namespace enprof
