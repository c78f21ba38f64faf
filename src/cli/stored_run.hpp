// Finds the run that the user names.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include "cli/shared_options.hpp"
#include "report/run_source.hpp"

#include <memory>
#include <string>
#include <vector>

namespace enprof {

/// Help text for the RUN argument.
inline constexpr const char* kRunHelp = "A run's id, a unique prefix of one, or 'last'";

/// Looks up a run by id, prefix or "last" in the chosen database.
[[nodiscard]] Result<ProfiledRun> stored_run(const DatabaseOption& option, const std::string& name,
                                             const RunParts& parts);
/// The same, to be read a few rows at a time; the database must outlive it.
[[nodiscard]] Result<std::unique_ptr<RunInStore>> stored_run(ProfileDatabase& database,
                                                             const std::string& name);

/// The figures of a run without its long lists: what is compared.
inline constexpr RunParts kFiguresOnly{.tokens = false,
                                       .layers = false,
                                       .operations = false,
                                       .operation_events = false,
                                       .values = false,
                                       .power_samples = false};
/// The runs that the filter selects, in its order. One that is deleted meanwhile is left out.
[[nodiscard]] Result<std::vector<ProfiledRun>> stored_runs(ProfileDatabase& database,
                                                           const RunFilter& filter,
                                                           const RunParts& parts);
/// All runs of an experiment, oldest first, as kFiguresOnly.
[[nodiscard]] Result<std::vector<ProfiledRun>> runs_of_experiment(ProfileDatabase& database,
                                                                  const std::string& experiment);
/// The error for an experiment that has no run.
[[nodiscard]] Error no_such_experiment(const std::string& experiment);

}  // namespace enprof
