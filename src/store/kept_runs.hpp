// Finished runs that could not be saved in the database.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/store/run_query.hpp"

#include "store/run_lock.hpp"

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Keeps runs in memory, in tables like those of the database, so that every query works on them as
/// on saved runs. Threads: one at a time.
class KeptRuns {
 public:
  struct Limits {
    std::size_t runs = 100;
    std::uintmax_t bytes = std::uintmax_t{256} << 20U;
  };
  struct Entry {
    std::string run_id;
    std::unique_ptr<RunLock> lock;  ///< so that no other process recovers the run as interrupted
    std::filesystem::path journal;  ///< where it is on disk; empty: in memory only
  };

  KeptRuns() : KeptRuns(Limits{}) {}
  explicit KeptRuns(const Limits& limits) : limits_(limits) {}

  /// Beyond the limits the oldest runs are dropped, and the log says so. Errors: too_large, if the
  /// run alone exceeds them.
  [[nodiscard]] Result<void> add(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                                 std::filesystem::path journal);
  /// See ProfileDatabase::set_tags().
  [[nodiscard]] Result<bool> set_tags(std::string_view run_id, std::span<const std::string> tags);
  /// False if the run is not kept.
  bool remove(std::string_view run_id);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool has(std::string_view run_id) const;
  /// Oldest first.
  [[nodiscard]] const std::deque<Entry>& entries() const { return entries_; }
  /// Call it only if at least one run is kept.
  [[nodiscard]] SQLite::Database& database() { return *database_; }
  /// The run as it is to be saved: without the warnings which say that it is not saved.
  [[nodiscard]] Result<ProfiledRun> read_to_save(const std::string& run_id);

 private:
  Result<void> write(const ProfiledRun& run);

  Limits limits_;
  std::unique_ptr<SQLite::Database> database_;  // created with the first run
  std::deque<Entry> entries_;
};

/// A page of the saved and the kept runs. If a run is both saved and kept, the kept one is listed.
[[nodiscard]] RunList list_saved_and_kept(SQLite::Database& saved, KeptRuns& kept,
                                          const RunFilter& filter);

/// The experiments of the saved and the kept runs.
[[nodiscard]] std::vector<ExperimentSummary> experiments_saved_and_kept(SQLite::Database& saved,
                                                                        KeptRuns& kept);

/// Whether a warning says that a run is not in the database.
[[nodiscard]] bool says_not_saved(const Warning& warning);

}  // namespace enprof
