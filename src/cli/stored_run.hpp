// Finds the run that the user names.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include "cli/shared_options.hpp"
#include "report/run_source.hpp"

#include <memory>
#include <string>

namespace enprof {

/// Help text for the RUN argument.
inline constexpr const char* kRunHelp = "A run's id, a unique prefix of one, or 'last'";

/// Looks up a run by id, prefix or "last" in the chosen database.
[[nodiscard]] Result<ProfiledRun> stored_run(const DatabaseOption& option, const std::string& name,
                                             const RunParts& parts);
/// The same, to be read a few rows at a time; the database must outlive it.
[[nodiscard]] Result<std::unique_ptr<RunInStore>> stored_run(ProfileDatabase& database,
                                                             const std::string& name);

}  // namespace enprof
