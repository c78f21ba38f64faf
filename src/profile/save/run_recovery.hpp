// Recovers runs that a program left unfinished in the database, or in a journal.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/model/names.hpp"
#include "enprof/store/profile_database.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace enprof {

struct RecoveryReport {
  struct Recovered {
    std::string run_id;
    RunStatus status = RunStatus::interrupted;
    bool from_journal = false;
    std::string reason{};  ///< why the program ended, if it could write that
  };
  std::vector<Recovered> runs;    ///< runs that are in the database now
  std::size_t already_there = 0;  ///< journals of runs that the database has: they were deleted
  std::size_t in_the_making = 0;  ///< runs that a living process writes: not changed
  std::vector<Error> errors;      ///< of runs that could not be recovered: not changed

  [[nodiscard]] bool empty() const { return runs.empty() && errors.empty(); }
};

/// First tries again to save the runs that the database keeps in memory. Then recovers three kinds
/// of runs that no living process writes:
///   - runs in the database with the status `running`;
///   - runs in journals, which lie beside the database or are listed in `elsewhere`;
///   - runs whose program died before they were in the database (see RunAttempt).
/// Their figures are computed from their saved steps like those of a run that ended, and saved.
/// However often it is called, the database has each run once. It is cheap if there is nothing to
/// recover.
///
/// A journal beside the database is deleted if it is empty. If it cannot be parsed it is renamed to
/// `….unreadable`, so that its error is reported only once.
[[nodiscard]] RecoveryReport recover_runs(ProfileDatabase& database,
                                          std::span<const std::filesystem::path> elsewhere = {});

}  // namespace enprof
