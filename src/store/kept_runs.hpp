// Runs that are over and that the database did not take.
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

/// Keeps runs in memory, in tables like those of the database, so that all that can be asked of a
/// run that was saved can be asked of them. Threads: one at a time.
class KeptRuns {
 public:
  struct Limits {
    std::size_t runs = 100;
    std::uintmax_t bytes = std::uintmax_t{256} << 20U;
  };
  struct Entry {
    std::string run_id;
    std::unique_ptr<RunLock> lock;  ///< so that nobody takes it for one that was left behind
    std::filesystem::path journal;  ///< where it is on disk; empty: nowhere
  };

  KeptRuns() : KeptRuns(Limits{}) {}
  explicit KeptRuns(const Limits& limits) : limits_(limits) {}

  /// Beyond the limits the oldest go, which the log says. Errors: too_large, where the run alone is
  /// beyond them.
  [[nodiscard]] Result<void> add(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                                 std::filesystem::path journal);
  /// As ProfileDatabase::set_tags().
  [[nodiscard]] Result<bool> set_tags(std::string_view run_id, std::span<const std::string> tags);
  /// False where it is not kept.
  bool remove(std::string_view run_id);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool has(std::string_view run_id) const;
  /// Oldest first.
  [[nodiscard]] const std::deque<Entry>& entries() const { return entries_; }
  /// Where there is at least one.
  [[nodiscard]] SQLite::Database& database() { return *database_; }
  /// The run as it is to be saved: without the warnings that say that it is not.
  [[nodiscard]] Result<ProfiledRun> to_save(const std::string& run_id);

 private:
  Result<void> write(const ProfiledRun& run);

  Limits limits_;
  std::unique_ptr<SQLite::Database> database_;  // made when there is something to keep
  std::deque<Entry> entries_;
};

/// A page of the runs that are saved or kept; of those in both the kept one counts.
[[nodiscard]] RunList list_saved_and_kept(SQLite::Database& saved, KeptRuns& kept,
                                          const RunFilter& filter);

/// Whether a warning says that a run is not in the database.
[[nodiscard]] bool says_not_saved(const Warning& warning);

}  // namespace enprof
