#include "cli/stored_run.hpp"

#include <fmt/format.h>

namespace enprof {

Result<ProfiledRun> stored_run(const DatabaseOption& option, const std::string& name) {
  auto database = option.open_to_read();
  if (!database) {
    return std::unexpected(database.error());
  }
  const auto run_id = database->resolve(name);
  if (!run_id) {
    return std::unexpected(run_id.error());
  }
  auto run = database->get_run(*run_id);
  if (!run) {
    return std::unexpected(run.error());
  }
  if (!*run) {  // deleted by another process since it was resolved
    return fail(ErrorCode::not_found, fmt::format("Run {} is gone", *run_id));
  }
  return std::move(**run);
}

}  // namespace enprof
