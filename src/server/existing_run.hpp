// A run that a client names.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "report/run_source.hpp"

#include <memory>
#include <string>

namespace enprof {

/// To the store a run that is missing is no error; to who names it in a URL it is. Errors:
/// not_found, which says so, and those of ProfileDatabase::run_head(). The store outlives the run.
[[nodiscard]] Result<std::unique_ptr<RunInStore>> existing_run(ProfileDatabase& store,
                                                               const std::string& id);
/// The same, read as a whole but for some parts. Errors: those of ProfileDatabase::get_run().
[[nodiscard]] Result<ProfiledRun> existing_run(ProfileDatabase& store, const std::string& id,
                                               const RunParts& parts);
[[nodiscard]] Error no_run(const std::string& id);

}  // namespace enprof
