#include "store/restore.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"
#include "store/connection.hpp"
#include "store/database_file.hpp"
#include "store/housekeeping.hpp"
#include "store/log_owner.hpp"
#include "store/schema.hpp"
#include "store/schema_scripts.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr Logger kLog{"store"};

/// Opens a copy together with its log, if one was copied with it.
SQLite::Database open_with_log(const fs::path& file) {
  bool skipped_log = false;
  SQLite::Database database = open_to_read(file, skipped_log);
  if (skipped_log) {
    return {file.string(), SQLite::OPEN_READWRITE};
  }
  return database;
}

constexpr const char* kWrittenByBackup = "Name a file that enprof db backup has written.";

/// https://www.sqlite.org/fileformat2.html#magic_header_string
bool has_database_magic(const fs::path& path) {
  constexpr std::string_view kMagic{"SQLite format 3\0", 16};
  std::array<char, kMagic.size()> begin{};
  std::ifstream in(path, std::ios::binary);
  in.read(begin.data(), begin.size());
  return in.gcount() == 0 || (in && std::string_view{begin.data(), begin.size()} == kMagic);
}

/// The copy to restore: ours, undamaged, and not newer than this program.
class Copy {
 public:
  static Result<Copy> open(const fs::path& path) {
    std::error_code failed;
    if (!fs::is_regular_file(path, failed)) {
      return fail(ErrorCode::not_found, fmt::format("There is no copy {}", path.string()),
                  kWrittenByBackup);
    }
    if (!has_database_magic(path)) {
      return fail(ErrorCode::corrupt,
                  fmt::format("The copy {} is not a database. Nothing was changed", path.string()),
                  kWrittenByBackup);
    }
    return guarded({.path = path, .what = "read the copy"}, [&]() -> Result<Copy> {
      Copy copy(open_with_log(follow_links(path)));
      if (auto good = copy.check(path); !good) {
        return std::unexpected(std::move(good.error()));
      }
      return copy;
    });
  }

  [[nodiscard]] SQLite::Database& database() { return database_; }

 private:
  explicit Copy(SQLite::Database database) : database_(std::move(database)) {}

  Result<void> check(const fs::path& path) {
    if (auto ours = check_owner(database_, path); !ours) {
      ours.error().hint = kWrittenByBackup;
      return ours;
    }
    const int newest = static_cast<int>(schema_migrations().size());
    const int version = schema_version(database_);
    if (version == 0) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{} is empty: there is nothing to restore", path.string()),
                  kWrittenByBackup);
    }
    std::string problem;
    SQLite::Statement integrity(database_, "PRAGMA integrity_check(1)");
    while (integrity.executeStep()) {
      if (const std::string line = integrity.getColumn(0).getString(); line != "ok") {
        problem = line;
      }
    }
    if (!problem.empty()) {
      return fail(
          ErrorCode::corrupt,
          fmt::format("The copy {} is damaged: {}. Nothing was changed", path.string(), problem),
          fmt::format("Save what can be read of it, and restore that: enprof db check "
                      "--db {0} --salvage {0}.salvaged",
                      shell_quote(path.string())));
    }
    return version < newest ? Result<void>{} : check_newest(database_, path, newest);
  }

  SQLite::Database database_;
};

/// Writes all pages in one transaction: readers see the previous content until it ends, and then
/// the copy.
void overwrite(SQLite::Database& target, SQLite::Database& copy) {
  SQLite::Backup backup(target, copy);
  // SQLite does not itself wait for the lock on the target.
  constexpr auto kPatience = std::chrono::seconds{10};
  constexpr auto kPause = std::chrono::milliseconds{50};
  const auto began = std::chrono::steady_clock::now();
  for (;;) {
    const int code = backup.executeStep(-1);
    if (code == SQLITE_DONE) {
      return;
    }
    if ((code != SQLITE_BUSY && code != SQLITE_LOCKED && code != SQLITE_OK) ||
        std::chrono::steady_clock::now() - began > kPatience) {
      throw SQLite::Exception(sqlite3_errstr(code), code);
    }
    std::this_thread::sleep_for(kPause);
  }
}

std::int64_t page_size(SQLite::Database& database) {
  return database.execAndGet("PRAGMA page_size").getInt64();
}

/// Removes a file when destroyed.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) { remove(); }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { remove(); }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  void remove() const {
    std::error_code none;
    for (const char* const suffix : {"", "-wal", "-shm", "-journal"}) {
      fs::remove(beside(path_, suffix), none);
    }
  }
  fs::path path_;
};

/// SQLite copies pages as they are, and the page size of a file in WAL mode cannot change.
Result<void> overwrite_with_target_page_size(SQLite::Database& target, SQLite::Database& copy,
                                             const fs::path& file) {
  if (page_size(target) == page_size(copy)) {
    overwrite(target, copy);
    return {};
  }
  const Temporary temporary(beside(file, ".restoring"));
  if (auto copied = back_up(copy, temporary.path()); !copied) {
    return copied;
  }
  SQLite::Database resized(temporary.path().string(), SQLite::OPEN_READWRITE);
  resized.execAndGet("PRAGMA journal_mode = DELETE");
  resized.exec(fmt::format("PRAGMA page_size = {}", page_size(target)));
  resized.exec("VACUUM");
  overwrite(target, resized);
  return {};
}

std::uintmax_t bytes_of(SQLite::Database& database) {
  return static_cast<std::uintmax_t>(database.execAndGet("PRAGMA page_count").getInt64() *
                                     page_size(database));
}

std::size_t count_runs(SQLite::Database& database) {
  return static_cast<std::size_t>(database.execAndGet("SELECT count(*) FROM runs").getInt64());
}

/// Moves a database that cannot be opened away, with its logs.
Result<void> move_away(const fs::path& file, const fs::path& kept) {
  for (const char* const suffix : {"-wal", "-journal", ""}) {
    const fs::path from = beside(file, suffix);
    if (std::rename(from.c_str(), beside(kept, suffix).c_str()) != 0 && errno != ENOENT) {
      return fail(error_code_from_errno(errno),
                  fmt::format("Cannot move {} away: {}", from.string(),
                              std::generic_category().message(errno)),
                  "Check that you may write to that directory.");
    }
  }
  std::error_code none;
  fs::remove(beside(file, "-shm"), none);
  remove_log_owner_record(file);
  return {};
}

Result<RestoreReport> restore_into_open_file(Connection& connection, Copy& copy,
                                             const fs::path& kept) {
  if (auto saved = back_up(connection.database(), kept); !saved) {
    return std::unexpected(std::move(saved.error()));
  }
  const auto put =
      guarded(connection.action("restore the copy", bytes_of(copy.database())),
              [&]() -> Result<RestoreReport> {
                if (auto written = overwrite_with_target_page_size(
                        connection.database(), copy.database(), connection.file());
                    !written) {
                  return std::unexpected(std::move(written.error()));
                }
                if (auto current = bring_up_to_date(connection.database(), connection.file(),
                                                    schema_migrations());
                    !current) {
                  return std::unexpected(std::move(current.error()));
                }
                connection.checkpoint("TRUNCATE");
                return RestoreReport{.runs = count_runs(connection.database()), .kept = kept};
              });
  if (!put) {
    std::error_code none;
    fs::remove(kept, none);  // the previous content is still in the database
  }
  return put;
}

Result<RestoreReport> restore_into_new_file(const fs::path& path, Copy& copy) {
  if (auto clear = set_aside_foreign_log(follow_links(path)); !clear) {
    return std::unexpected(std::move(clear.error()));
  }
  if (auto copied = back_up(copy.database(), path); !copied) {
    return std::unexpected(std::move(copied.error()));
  }
  auto connection = Connection::open(path, {});
  if (!connection) {
    return std::unexpected(std::move(connection.error()));
  }
  return guarded((*connection)->action("count the runs"), [&]() -> Result<RestoreReport> {
    return RestoreReport{.runs = count_runs((*connection)->database()), .kept = std::nullopt};
  });
}

}  // namespace

Result<RestoreReport> restore_database(const fs::path& path, const fs::path& copy_path) {
  const fs::path file = follow_links(path);
  if (const auto there = FileIdentity::of(file); there && there == FileIdentity::of(copy_path)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} is the database itself, not a copy of it", copy_path.string()),
                kWrittenByBackup);
  }
  auto copy = Copy::open(copy_path);
  if (!copy) {
    return std::unexpected(std::move(copy.error()));
  }
  if (!FileIdentity::of(file)) {
    return restore_into_new_file(path, *copy);
  }
  const fs::path kept = unused_name(beside(file, ".before-restore"));
  auto connection = Connection::open(path, {});
  if (connection) {
    return restore_into_open_file(**connection, *copy, kept);
  }
  if (connection.error().code != ErrorCode::corrupt &&
      connection.error().code != ErrorCode::unsupported) {
    return std::unexpected(std::move(connection.error()));
  }
  kLog.warning("{}. It is moved to {}", connection.error().message, kept.string());
  if (auto moved = move_away(file, kept); !moved) {
    return std::unexpected(std::move(moved.error()));
  }
  auto report = restore_into_new_file(path, *copy);
  if (report) {
    report->kept = kept;
  }
  return report;
}

}  // namespace enprof
