// An open database: SQLite with our settings on it.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "store/busy_wait.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace enprof {

/// Threads: one at a time.
class Connection {
 public:
  /// See ProfileDatabase::connect.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path,
                                                                const DatabaseOptions& options);
  /// One more connection to a file that another one has open. Looks at nothing in the file yet:
  /// see prepare_to_read(). Errors: as open(), save that nothing is made where it is missing.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open_to_read(
      const std::filesystem::path& path, const DatabaseOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] SQLite::Database& database() { return database_; }
  /// Whether the file that is open is no longer the one at its path: deleted, moved or replaced.
  [[nodiscard]] bool lost();

  /// Refuses to write from now on. Errors: where the file cannot be read.
  [[nodiscard]] Result<void> prepare_to_read();

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
  Connection(SQLite::Database database, std::filesystem::path path, const DatabaseOptions& options);
  Result<void> set_up();
  void choose_journal();

  BusyWait busy_;  // outlives the connection that calls it
  SQLite::Database database_;
  std::filesystem::path path_;
};

}  // namespace enprof
