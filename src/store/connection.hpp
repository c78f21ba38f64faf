// An open database: an SQLite connection with our settings.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "store/busy_wait.hpp"
#include "store/log_owner.hpp"
#include "store/overwrite_watch.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace enprof {

/// Opens a file for reading, and leaves nothing beside it: SQLite needs neither a log nor its index
/// for a file that it takes as immutable. A log with content is read too; `skipped_log` is true if
/// that was not possible. Throws SQLite::Exception.
[[nodiscard]] SQLite::Database open_to_read(const std::filesystem::path& file, bool& skipped_log);

/// Threads: one at a time.
class Connection {
 public:
  /// See ProfileDatabase::connect.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path,
                                                                const DatabaseOptions& options);
  /// Another connection to a file that is open already. Reads nothing from the file yet: see
  /// prepare_to_read(). Errors: as open(), but a missing file is not created.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open_another(
      const std::filesystem::path& path, const DatabaseOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  [[nodiscard]] SQLite::Database& database() { return *open_; }
  /// Whether the open file, or its log, is no longer the one at the path: it was deleted, moved,
  /// replaced, or overwritten in place.
  [[nodiscard]] bool lost();
  /// Whether it was lost because it was overwritten in place.
  [[nodiscard]] bool is_overwritten() const { return watch_ && watch_->is_overwritten(); }
  /// Call this after the connection has written, so that its own writes are not taken for those of
  /// another program.
  void record_own_writes();
  /// Closes a connection that is lost. Its log is checkpointed into the file that it belongs to,
  /// wherever that file is now. A log of that file which still lies at the old path is moved aside.
  /// If the file was overwritten, nothing is checkpointed, and the log is moved aside.
  static void close_lost(std::unique_ptr<Connection> connection);
  /// The open file, with links followed.
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

  /// Makes the connection read-only. `watch` is what the main connection last saw of the file; this
  /// connection must find the same. Errors: the file cannot be read.
  [[nodiscard]] Result<void> prepare_to_read(const std::optional<OverwriteWatch>& watch);
  /// Empty if the file has no log.
  [[nodiscard]] const std::optional<OverwriteWatch>& watch() const { return watch_; }

  /// How long to wait for locks from now on.
  void set_patience(Nanoseconds limit) { busy_.set_limit(limit); }

  /// Describes what is being done, for error messages.
  [[nodiscard]] StoreAction action(std::string what);
  /// The same for an action that takes disk space. The free space is measured now, before SQLite
  /// fills it.
  [[nodiscard]] StoreAction action(std::string what, std::uintmax_t bytes_needed);

  /// Checkpoints: copies the log into the file (mode "PASSIVE" or "TRUNCATE"). After a save this
  /// puts the run on disk for good. It also leaves a log without content, so that a save which
  /// fails, and may have filled the disk with its log, needs no space to truncate it.
  void checkpoint(const char* how);

 private:
  Connection(SQLite::Database database, std::filesystem::path path, std::filesystem::path file,
             const DatabaseOptions& options);
  static Result<std::unique_ptr<Connection>> open_reading(const std::filesystem::path& path,
                                                          const DatabaseOptions& options);
  Result<void> set_up();
  Result<void> set_up_to_read();
  [[nodiscard]] bool choose_journal();
  void close();
  [[nodiscard]] std::filesystem::path log_path() const;

  BusyWait busy_;                         // outlives the connection that calls it
  std::optional<SQLite::Database> open_;  // empty only while closing
  std::filesystem::path path_;
  std::filesystem::path named_;  // path_ as an absolute path
  std::filesystem::path file_;
  std::optional<FileIdentity> identity_;
  bool reads_only_ = false;
  std::optional<FileIdentity> log_;      // empty if there is no log
  std::optional<OverwriteWatch> watch_;  // empty if there is no log
};

}  // namespace enprof
