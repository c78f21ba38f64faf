// The internal interface for saving a run step by step. Not public.
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

/// A part of an unfinished run. The store does not interpret it.
struct RunStep {
  std::int64_t step = 0;  ///< from 0
  std::string content;    ///< UTF-8, without line breaks

  friend bool operator==(const RunStep&, const RunStep&) = default;
};

/// Stores unfinished runs. Threads: as ProfileDatabase.
class StepStore {
 public:
  /// The database must outlive the StepStore.
  explicit StepStore(ProfileDatabase& database) : database_(database) {}

  /// Writes a run that has begun: what is known of it, with the status `running`. Does nothing if
  /// the run is already there with that status. `patience` replaces busy_timeout. Errors:
  /// invalid_argument, as save_run().
  [[nodiscard]] Result<void> begin_run(const ProfiledRun& run,
                                       std::optional<Nanoseconds> patience = std::nullopt);
  /// Adds steps to an unfinished run, in one transaction. A step that is already stored is left as
  /// it is. `patience` as above. Errors: not_found, if there is no such run.
  [[nodiscard]] Result<void> append_steps(std::string_view run_id, std::span<const RunStep> steps,
                                          std::optional<Nanoseconds> patience = std::nullopt);
  /// The steps of an unfinished run, in order.
  [[nodiscard]] Result<std::vector<RunStep>> read_steps(std::string_view run_id);
  /// The ids of the runs whose status is `running`, including those that no program is writing any
  /// more.
  [[nodiscard]] Result<std::vector<std::string>> unfinished_runs();
  /// Keeps a run in memory that could not be saved. `lock` may be null. `journal` is where the run
  /// is on disk; empty if it is not. False if there is no room for it.
  [[nodiscard]] bool keep_run(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                              std::filesystem::path journal);

 private:
  ProfileDatabase& database_;
};

}  // namespace enprof
