// Finished runs that wait in memory until the database can take them.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "store/database_access.hpp"
#include "store/kept_runs.hpp"
#include "store/run_lock.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace enprof {

/// Keeps such runs and retries saving them, a last time in its destructor. Threads: any.
class WaitingRuns {
 public:
  /// The database must outlive it.
  explicit WaitingRuns(DatabaseAccess& database) : database_(database) {}
  WaitingRuns(const WaitingRuns&) = delete;
  WaitingRuns& operator=(const WaitingRuns&) = delete;
  ~WaitingRuns();

  /// See ProfileDatabase::keep_run().
  [[nodiscard]] bool keep(const ProfiledRun& run, std::unique_ptr<RunLock> run_lock,
                          std::filesystem::path journal);
  [[nodiscard]] bool has(std::string_view run_id) const;
  /// Never waits.
  [[nodiscard]] std::size_t count() const { return count_; }
  /// False if the run is not kept.
  [[nodiscard]] bool drop(std::string_view run_id);
  /// Replaces the tags of a kept run, which is later saved with them; false if the run is not kept.
  /// A journal elsewhere keeps the old tags.
  [[nodiscard]] Result<bool> set_tags(std::string_view run_id, std::span<const std::string> tags);

  /// Runs a body on the kept runs. It may be called from a body that reads the database.
  template <class Body>
  [[nodiscard]] auto with(Body&& body) -> std::invoke_result_t<Body, KeptRuns&> {
    const std::lock_guard lock(mutex_);
    return std::forward<Body>(body)(kept_);
  }

  /// Tries to save the runs, oldest first, until one fails. Returns the ids of those that were
  /// saved.
  std::vector<std::string> save_all();
  /// The same, if it is time to retry and there may be room.
  void save_if_due();

 private:
  [[nodiscard]] bool save(const std::string& run_id);
  [[nodiscard]] bool is_saved_complete(const std::string& run_id);
  [[nodiscard]] bool may_succeed() const;
  [[nodiscard]] std::optional<std::uintmax_t> free_bytes() const;

  DatabaseAccess& database_;
  std::mutex saving_mutex_;   // held while a run is saved or changed; locked before all others
  mutable std::mutex mutex_;  // guards what follows; locked after the database's mutex, never
                              // before it
  KeptRuns kept_;
  std::atomic<std::size_t> count_{0};  // for callers that must not wait
  Instant retry_at_;
  std::optional<std::uintmax_t> full_with_;  // free bytes when the disk was last full
};

}  // namespace enprof
