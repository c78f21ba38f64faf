// A run that a client names.
#pragma once

#include "enprof/store/profile_database.hpp"

#include <string>

namespace enprof {

/// To the store a run that is missing is no error; to who names it in a URL it is. Errors:
/// not_found, which says so, and those of ProfileDatabase::get_run().
[[nodiscard]] Result<ProfiledRun> existing_run(ProfileDatabase& store, const std::string& id,
                                               const RunParts& parts = {});
[[nodiscard]] Error no_run(const std::string& id);

}  // namespace enprof
