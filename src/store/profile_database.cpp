#include "enprof/store/profile_database.hpp"

#include "base/log.hpp"
#include "store/database_file.hpp"
#include "store/run_index.hpp"
#include "store/run_reader.hpp"
#include "store/run_writer.hpp"
#include "store/schema.hpp"
#include "store/schema_scripts.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <system_error>
#include <thread>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

constexpr const char* kOpening = "open the database";
/// What a new file takes with its log and the memory that SQLite shares between programs.
constexpr std::uintmax_t kBytesToOpen = 512 << 10;

/// The log beside the file may stay this long when it has been read into the file.
constexpr std::int64_t kLogBytes = 16 << 20;

std::unexpected<Error> not_connected() {
  return fail(ErrorCode::not_running, "Database connection not established. Call connect() first.",
              "This ProfileDatabase has been moved from.");
}

bool enable_wal(SQLite::Database& database) {
  return database.execAndGet("PRAGMA journal_mode = WAL").getString() == "wal";
}

/// Readers and a writer do not block each other in WAL mode, which the file remembers. Switching
/// needs the file for a moment alone, and SQLite does not always wait for that by itself.
void choose_journal(SQLite::Database& database, const std::filesystem::path& path,
                    std::chrono::nanoseconds patience) {
  bool wal = database.execAndGet("PRAGMA journal_mode").getString() == "wal";
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!wal) {
    try {
      wal = enable_wal(database);
      break;
    } catch (const SQLite::Exception& exception) {
      if (exception.getErrorCode() != SQLITE_BUSY || std::chrono::steady_clock::now() >= deadline) {
        break;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  if (!wal) {
    kLog.warning("{} stays without a write-ahead log: readers will wait for writers",
                 path.string());
  }
  // In WAL mode NORMAL loses at most the last transactions in a power cut, and never the file.
  database.exec(wal ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
  database.exec(fmt::format("PRAGMA journal_size_limit = {}", kLogBytes));
}

}  // namespace

class ProfileDatabase::Impl {
 public:
  Impl(SQLite::Database database, std::filesystem::path path, const DatabaseOptions& options)
      : database_(std::move(database)), path_(std::move(path)), options_(options) {}

  static Result<std::unique_ptr<Impl>> open(const std::filesystem::path& path,
                                            const DatabaseOptions& options) {
    auto place = DatabasePlace::prepare(path);
    if (!place) {
      return std::unexpected(std::move(place.error()));
    }
    const StoreAction opening{.path = path, .what = kOpening, .busy_timeout = options.busy_timeout};
    auto impl = guarded(opening, [&]() -> Result<std::unique_ptr<Impl>> {
      return std::make_unique<Impl>(
          SQLite::Database(place->absolute().string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                           timeout_ms(options)),
          path, options);
    });
    if (!impl) {
      return impl;
    }
    const auto ready =
        guarded((*impl)->action(kOpening, kBytesToOpen), [&] { return (*impl)->set_up(); });
    if (!ready) {
      impl->reset();  // closes the file before the place is cleared
      return std::unexpected(ready.error());
    }
    place->keep();
    return impl;
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] StoreAction action(std::string what) {
    return {.path = path_,
            .what = std::move(what),
            .busy_timeout = options_.busy_timeout,
            .handle = database_.getHandle()};
  }
  /// What takes disk; how much there is must be known before SQLite fills it.
  [[nodiscard]] StoreAction action(std::string what, std::uintmax_t bytes_needed) {
    StoreAction result = action(std::move(what));
    result.bytes_needed = bytes_needed;
    std::error_code unknown;
    const auto space = std::filesystem::space(directory_of(path_), unknown);
    if (!unknown) {
      result.bytes_free = space.available;
    }
    return result;
  }

  Result<void> save(const ProfiledRun& run) {
    if (auto good = check_run(run); !good) {
      return good;
    }
    auto saved = guarded(
        action(fmt::format("save run {}", run.run_id), bytes_to_save(run)), [&]() -> Result<void> {
          SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
          if (has(run.run_id)) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("Run {} is in {} already", run.run_id, path_.string()),
                        fmt::format("Delete it first: enprof rm {}", run.run_id));
          }
          write_run(database_, run);
          transaction.commit();
          return {};
        });
    if (saved) {
      drain_log("PASSIVE");
    } else if (saved.error().code == ErrorCode::too_large) {
      drain_log("TRUNCATE");
    }
    return saved;
  }

  Result<std::optional<ProfiledRun>> get(std::string_view run_id) {
    return guarded(action(fmt::format("read run {}", run_id)),
                   [&]() -> Result<std::optional<ProfiledRun>> {
                     const SQLite::Transaction snapshot(database_);
                     return read_run(database_, run_id);
                   });
  }

  Result<std::string> resolve(std::string_view id_or_prefix) {
    return guarded(action(fmt::format("look up run {}", id_or_prefix)),
                   [&]() -> Result<std::string> {
                     const SQLite::Transaction snapshot(database_);
                     return resolve_run(database_, id_or_prefix);
                   });
  }

  Result<RunList> list(const RunFilter& filter) {
    return guarded(action("list the runs"), [&]() -> Result<RunList> {
      const SQLite::Transaction snapshot(database_);
      return find_runs(database_, filter);
    });
  }

  Result<bool> remove(std::string_view run_id) {
    return guarded(action(fmt::format("delete run {}", run_id)), [&]() -> Result<bool> {
      SQLite::Statement statement(database_, "DELETE FROM runs WHERE run_id = ?");
      statement.bind(1, std::string{run_id});
      return statement.exec() > 0;
    });
  }

 private:
  static int timeout_ms(const DatabaseOptions& options) {
    const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(options.busy_timeout).count();
    return static_cast<int>(std::clamp<std::int64_t>(timeout, 0, INT_MAX));
  }

  Result<void> set_up() {
    if (sqlite3_db_readonly(database_.getHandle(), "main") != 0) {
      return std::unexpected(explain_refusal(path_, "it is read-only"));
    }
    database_.exec("PRAGMA foreign_keys = ON");
    if (database_.execAndGet("PRAGMA foreign_keys").getInt() != 1) {
      return fail(ErrorCode::unsupported, "The SQLite library here was built without foreign keys",
                  "Link another: each Debian has one in libsqlite3-0.");
    }
    if (auto ours = check_owner(database_, path_); !ours) {
      return ours;
    }
    // Before the tables, so that with them all that is needed to use them has been found to work.
    choose_journal(database_, path_, options_.busy_timeout);
    auto current = bring_up_to_date(database_, path_, schema_migrations());
    drain_log("PASSIVE");
    return current;
  }

  bool has(const std::string& run_id) {
    SQLite::Statement statement(database_, "SELECT 1 FROM runs WHERE run_id = ?");
    statement.bind(1, run_id);
    return statement.executeStep();
  }

  /// Carries what is in the log into the file. After a save that puts the run on disk for good; and
  /// because of it a save that fails, and may have filled the disk with its log, leaves a log with
  /// nothing to carry over, so that cutting it off needs no space.
  void drain_log(const char* how) {
    const std::string command = fmt::format("PRAGMA wal_checkpoint({})", how);
    if (const int code = database_.tryExec(command); code != SQLITE_OK) {
      // Readers or a full disk are in the way: the log is as good a place.
      kLog.debug("The log of {} was not carried over: {}", path_.string(), sqlite3_errstr(code));
    }
  }

  SQLite::Database database_;
  std::filesystem::path path_;
  DatabaseOptions options_;
};

Result<ProfileDatabase> ProfileDatabase::connect(const std::filesystem::path& path,
                                                 const DatabaseOptions& options) {
  auto impl = Impl::open(path, options);
  if (!impl) {
    kLog.error("Database connection failed: {}", impl.error().message);
    return std::unexpected(std::move(impl.error()));
  }
  kLog.info("Connected to profiling database at {}", path.string());
  return ProfileDatabase{*std::move(impl)};
}

Result<std::filesystem::path> ProfileDatabase::default_path() { return default_database_path(); }

ProfileDatabase::ProfileDatabase(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProfileDatabase::ProfileDatabase(ProfileDatabase&& other) noexcept = default;
ProfileDatabase& ProfileDatabase::operator=(ProfileDatabase&& other) noexcept = default;
ProfileDatabase::~ProfileDatabase() = default;

const std::filesystem::path& ProfileDatabase::path() const noexcept {
  static const std::filesystem::path none;
  return impl_ ? impl_->path() : none;
}

Result<void> ProfileDatabase::save_run(const ProfiledRun& run) {
  Result<void> saved = impl_ ? impl_->save(run) : not_connected();
  if (!saved) {
    kLog.error("Failed to save run to database: {}", saved.error().message);
    return saved;
  }
  kLog.debug("Added {} power samples for run {}", run.power.samples.size(), run.run_id);
  kLog.info("Profiling run {} saved to database", run.run_id);
  return saved;
}

Result<std::optional<ProfiledRun>> ProfileDatabase::get_run(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->get(run_id);
}

Result<std::string> ProfileDatabase::resolve(std::string_view id_or_prefix) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->resolve(id_or_prefix);
}

Result<RunList> ProfileDatabase::list_runs(const RunFilter& filter) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->list(filter);
}

Result<bool> ProfileDatabase::delete_run(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->remove(run_id);
}

}  // namespace enprof
