#include "cli/stored_run.hpp"

#include "base/printable.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace enprof {
namespace {

std::unexpected<Error> is_gone(const std::string& run_id) {
  return fail(ErrorCode::not_found, fmt::format("Run {} was deleted", run_id));
}

}  // namespace

Result<ProfiledRun> stored_run(const DatabaseOption& option, const std::string& name,
                               const RunParts& parts) {
  auto database = option.open_to_read();
  if (!database) {
    return std::unexpected(database.error());
  }
  const auto run_id = database->resolve(name);
  if (!run_id) {
    return std::unexpected(run_id.error());
  }
  auto run = database->get_run(*run_id, parts);
  if (!run) {
    return std::unexpected(run.error());
  }
  if (!*run) {  // another process deleted it after it was resolved
    return is_gone(*run_id);
  }
  return std::move(**run);
}

Result<std::unique_ptr<RunInStore>> stored_run(ProfileDatabase& database, const std::string& name) {
  const auto run_id = database.resolve(name);
  if (!run_id) {
    return std::unexpected(run_id.error());
  }
  auto run = RunInStore::open(database, *run_id);
  if (run && !*run) {
    return is_gone(*run_id);
  }
  return run;
}

Result<std::vector<ProfiledRun>> stored_runs(ProfileDatabase& database, const RunFilter& filter,
                                             const RunParts& parts) {
  const auto found = database.find_runs(filter);
  if (!found) {
    return std::unexpected(found.error());
  }
  std::vector<ProfiledRun> runs;
  for (const std::string& id : found->ids) {
    auto run = database.get_run(id, parts);
    if (!run) {
      return std::unexpected(run.error());
    }
    if (*run) {
      runs.push_back(**std::move(run));
    }
  }
  return runs;
}

Result<std::vector<ProfiledRun>> runs_of_experiment(ProfileDatabase& database,
                                                    const std::string& experiment) {
  return stored_runs(database,
                     {.experiment = experiment,
                      .ascending = true,
                      .limit = std::numeric_limits<std::size_t>::max()},
                     kFiguresOnly);
}

Error no_such_experiment(const std::string& experiment) {
  return {.code = ErrorCode::not_found,
          .message = fmt::format("There is no experiment {} in the history", printable(experiment)),
          .hint = "enprof runs --json lists all runs with their experiments."};
}

}  // namespace enprof
