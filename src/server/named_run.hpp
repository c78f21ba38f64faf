// Finds the run that a client names, also among those under way.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/profile_database.hpp"

#include "server/runs_under_way.hpp"

#include <string>

namespace enprof {

/// The run that a name stands for, and its state.
struct NamedRun {
  std::string run_id;
  std::string status;  ///< queued or running; for a run that has ended, its status in the database
};

/// The run that a name stands for: an id, a unique prefix of one, or "last", which is the running
/// run, else the next in the queue, else the newest in the database. Errors: not_found;
/// invalid_argument, if several ids begin so; those of the database.
[[nodiscard]] Result<NamedRun> named_run(ProfileDatabase& store, const RunsUnderWay& under_way,
                                         const std::string& name);

}  // namespace enprof
