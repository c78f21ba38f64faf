// Whether a run got into the database.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <string_view>

namespace enprof {

inline constexpr std::string_view kNotSavedWarning = "not_saved";

[[nodiscard]] bool has_warning(const ProfiledRun& run, std::string_view code);

/// Whether the database does not have the run, and will not get it without the user.
[[nodiscard]] bool is_unsaved(const ProfiledRun& run);

}  // namespace enprof
