// Runs that a program left behind: interrupted, or in a journal.
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
    std::string reason{};  ///< of the program's end, where it could say it
  };
  std::vector<Recovered> runs;    ///< that are in the database now
  std::size_t already_there = 0;  ///< journals of runs that the database has: taken away
  std::size_t in_the_making = 0;  ///< runs that a living process writes: left alone
  std::vector<Error> errors;      ///< of runs that could not be brought in: left as they are

  [[nodiscard]] bool empty() const { return runs.empty() && errors.empty(); }
};

/// Closes the runs in the database that say `running` and that no process writes any more, and
/// brings in the journals beside it and the runs that their program did not live to begin (see
/// RunAttempt): works out their figures from their steps, by the same way as
/// those of a run that was not interrupted, and saves them. Whatever it is called how often, each
/// run is there once. Cheap where there is nothing to do.
/// First of all tries again to save what the database keeps in memory. `elsewhere` are journals in
/// other places. A journal beside the database that holds nothing is taken away, and one that
/// cannot be understood gets another name, `….unreadable`: it is told once.
[[nodiscard]] RecoveryReport recover_runs(ProfileDatabase& database,
                                          std::span<const std::filesystem::path> elsewhere = {});

}  // namespace enprof
