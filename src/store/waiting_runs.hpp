// Runs that are over and wait in memory until the database takes them.
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

/// Keeps them, and tries again to save them; once more when it goes. Threads: any.
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
  /// Waits for nobody.
  [[nodiscard]] std::size_t count() const { return count_; }
  /// True where it was kept.
  [[nodiscard]] bool forget(std::string_view run_id);
  /// Gives a run these tags, which it has also when it is saved; false where it is not kept. A
  /// journal that it has elsewhere does not get them.
  [[nodiscard]] Result<bool> set_tags(std::string_view run_id, std::span<const std::string> tags);

  /// Runs a body on what is kept. It may be called from a body that reads the database.
  template <class Body>
  [[nodiscard]] auto with(Body&& body) -> std::invoke_result_t<Body, KeptRuns&> {
    const std::lock_guard lock(mutex_);
    return std::forward<Body>(body)(kept_);
  }

  /// Tries to save them, oldest first, until one is not taken. Those that are saved now.
  std::vector<std::string> save();
  /// The same where it is time, and there may be room.
  void save_where_due();

 private:
  [[nodiscard]] bool save(const std::string& run_id);
  [[nodiscard]] bool is_over_there(const std::string& run_id);
  [[nodiscard]] bool worth_a_try() const;
  [[nodiscard]] std::optional<std::uintmax_t> free_bytes() const;

  DatabaseAccess& database_;
  std::mutex saving_mutex_;   // while a run is saved, or changed; taken before all others
  mutable std::mutex mutex_;  // guards what follows; taken after the database's, never before it
  KeptRuns kept_;
  std::atomic<std::size_t> count_{0};        // for who must not wait
  Instant retry_at_;                         // what is kept
  std::optional<std::uintmax_t> full_with_;  // free bytes when the disk was full last
};

}  // namespace enprof
