// What saving a run step by step asks of a database, and no user of the library.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/store/profile_database.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

class RunLock;

/// A part of a run in the making. The store does not look into it.
struct RunStep {
  std::int64_t step = 0;  ///< from 0
  std::string content;    ///< UTF-8, no line breaks

  friend bool operator==(const RunStep&, const RunStep&) = default;
};

/// Runs in the making. Threads: as ProfileDatabase.
class StepStore {
 public:
  /// The database outlives it.
  explicit StepStore(ProfileDatabase& database) : database_(database) {}

  /// Writes a run that has begun: what is known of it, and the status `running`. Does nothing where
  /// it is there and in the making. `patience` takes the place of busy_timeout. Errors:
  /// invalid_argument, as save_run().
  [[nodiscard]] Result<void> begin_run(const ProfiledRun& run,
                                       std::optional<Nanoseconds> patience = std::nullopt);
  /// Adds steps to a run in the making, in one transaction. A step that is there stays as it was.
  /// `patience` as above. Errors: not_found, where there is no such run.
  [[nodiscard]] Result<void> append_steps(std::string_view run_id, std::span<const RunStep> steps,
                                          std::optional<Nanoseconds> patience = std::nullopt);
  /// The steps of a run in the making, in order.
  [[nodiscard]] Result<std::vector<RunStep>> read_steps(std::string_view run_id);
  /// Ids of the runs whose status is `running`, also those that no program writes any more.
  [[nodiscard]] Result<std::vector<std::string>> unfinished_runs();
  /// Keeps a run in memory that could not be saved. `lock` may be null. `journal` is where it is on
  /// disk; empty where it is not. False where there is no room for it.
  [[nodiscard]] bool keep_run(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                              std::filesystem::path journal);

 private:
  ProfileDatabase& database_;
};

}  // namespace enprof
