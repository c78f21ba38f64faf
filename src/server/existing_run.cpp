#include "server/existing_run.hpp"

#include <fmt/format.h>

#include <utility>

namespace enprof {

Error run_not_found(const std::string& id) {
  return {ErrorCode::not_found, fmt::format("There is no run {}", id),
          "List the runs: enprof runs, or GET /api/profiling/runs"};
}

Result<std::unique_ptr<RunInStore>> existing_run(ProfileDatabase& store, const std::string& id) {
  auto run = RunInStore::open(store, id);
  if (run && !*run) {
    return std::unexpected(run_not_found(id));
  }
  return run;
}

Result<ProfiledRun> existing_run(ProfileDatabase& store, const std::string& id,
                                 const RunParts& parts) {
  auto run = store.get_run(id, parts);
  if (!run) {
    return std::unexpected(std::move(run.error()));
  }
  if (!*run) {
    return std::unexpected(run_not_found(id));
  }
  return std::move(**run);
}

}  // namespace enprof
