#include "cli/stored_run.hpp"

#include <fmt/format.h>

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

}  // namespace enprof
