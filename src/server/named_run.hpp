// A run that a client names.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/profile_database.hpp"

#include "server/run_queue.hpp"

#include <string>

namespace enprof {

/// What a name means, and how that run is doing.
struct NamedRun {
  std::string run_id;
  std::string status;  ///< queued or running; of one that has ended, as the database has it
};

/// The run that a name means here: an id, the first characters of one alone, or "last": the one
/// under way, else the next to be begun, else the newest in the database. Errors: not_found;
/// invalid_argument, where several ids begin so; those of the database.
[[nodiscard]] Result<NamedRun> named_run(ProfileDatabase& store, const RunQueue& queue,
                                         const std::string& name);

}  // namespace enprof
