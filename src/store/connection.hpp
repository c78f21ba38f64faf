// An open database: SQLite with our settings on it.
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

/// Opens a file to read, and leaves no trace beside it: what SQLite takes for unchanging needs
/// neither a log nor its index. Where there is a log with something in it, it is read too;
/// `skipped_log` says where that was not possible. Throws SQLite::Exception.
[[nodiscard]] SQLite::Database open_to_read(const std::filesystem::path& file, bool& skipped_log);

/// Threads: one at a time.
class Connection {
 public:
  /// See ProfileDatabase::connect.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path,
                                                                const DatabaseOptions& options);
  /// One more connection to a file that another one has open. Looks at nothing in the file yet:
  /// see prepare_to_read(). Errors: as open(), save that nothing is made where it is missing.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open_another(
      const std::filesystem::path& path, const DatabaseOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  [[nodiscard]] SQLite::Database& database() { return *open_; }
  /// Whether the file that is open, or its log, is no longer the one at its path: deleted, moved,
  /// replaced, or written over in place.
  [[nodiscard]] bool lost();
  /// Whether it was lost for the last of these reasons.
  [[nodiscard]] bool is_overwritten() const { return watch_ && watch_->is_overwritten(); }
  /// What the connection has written must not be taken for what others write: called after it has
  /// written.
  void note_own_writes();
  /// Ends a connection that is lost. Its log is carried into the file that it belongs to, wherever
  /// that is now; what lies in the log's place is put aside where it belongs to that file too.
  /// Where the file was written over, nothing is carried, and the log is put aside.
  static void part(std::unique_ptr<Connection> connection);
  /// The file that is open, its links followed.
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

  /// Refuses to write from now on. What the main connection saw of the file is what this one must
  /// find. Errors: where the file cannot be read.
  [[nodiscard]] Result<void> prepare_to_read(const std::optional<OverwriteWatch>& watch);
  /// Empty where the file has no log.
  [[nodiscard]] const std::optional<OverwriteWatch>& watch() const { return watch_; }

  /// How long to wait for locks from now on.
  void set_patience(Nanoseconds limit) { busy_.set_limit(limit); }

  /// For messages about what is being done.
  [[nodiscard]] StoreAction action(std::string what);
  /// What takes disk; how much there is must be known before SQLite fills it.
  [[nodiscard]] StoreAction action(std::string what, std::uintmax_t bytes_needed);

  /// Carries what is in the log into the file ("PASSIVE", "TRUNCATE"). After a save that puts the
  /// run on disk for good; and because of it a save that fails, and may have filled the disk with
  /// its log, leaves a log with nothing to carry over, so that cutting it off needs no space.
  void drain_log(const char* how);

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
  std::optional<SQLite::Database> open_;  // empty at the very end only
  std::filesystem::path path_;
  std::filesystem::path named_;  // the same, absolute
  std::filesystem::path file_;
  std::optional<FileIdentity> identity_;
  bool reads_only_ = false;
  std::optional<FileIdentity> log_;      // empty where there is none
  std::optional<OverwriteWatch> watch_;  // likewise
};

}  // namespace enprof
