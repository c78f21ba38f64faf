// Finds the run that a client names.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "report/run_source.hpp"

#include <memory>
#include <string>

namespace enprof {

/// Opens a stored run. A missing run is an error here, unlike in ProfileDatabase. Errors:
/// not_found; those of ProfileDatabase::run_head(). The store must outlive the run.
[[nodiscard]] Result<std::unique_ptr<RunInStore>> existing_run(ProfileDatabase& store,
                                                               const std::string& id);
/// Reads the whole run, or the parts that are asked for. Errors: not_found; those of
/// ProfileDatabase::get_run().
[[nodiscard]] Result<ProfiledRun> existing_run(ProfileDatabase& store, const std::string& id,
                                               const RunParts& parts);
[[nodiscard]] Error run_not_found(const std::string& id);

}  // namespace enprof
