#include "store/connection.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"
#include "store/database_file.hpp"
#include "store/schema.hpp"
#include "store/schema_scripts.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

constexpr const char* kOpening = "open the database";
constexpr const char* kReading = "read the database";
/// Disk space for a new file, its log and the shared memory of SQLite.
constexpr std::uintmax_t kBytesToOpen = 512 << 10;

/// SQLite truncates the log to this size after a checkpoint.
constexpr std::int64_t kLogBytes = 16 << 20;

/// https://www.sqlite.org/uri.html
std::string uri_of(const std::filesystem::path& file, std::string_view how) {
  std::string uri = "file:";
  for (const char c : file.string()) {
    uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02X}", c) : std::string(1, c);
  }
  return fmt::format("{}?{}", uri, how);
}

bool enable_wal(SQLite::Database& database) {
  return database.execAndGet("PRAGMA journal_mode = WAL").getString() == "wal";
}

}  // namespace

SQLite::Database open_to_read(const std::filesystem::path& file, bool& skipped_log) {
  const int flags = SQLite::OPEN_READONLY | SQLite::OPEN_URI;
  std::filesystem::path log = file;
  log += "-wal";
  std::error_code failed;
  const auto log_bytes = std::filesystem::file_size(log, failed);
  const bool has_log = !failed && log_bytes > 0 && !has_foreign_log(file);
  if (has_log) {
    // Another program has the file open, or was killed. SQLite must not create an index of the log
    // here: it would belong to this user, and lock out the file's owner.
    try {
      SQLite::Database database(uri_of(file, "mode=ro&readonly_shm=1"), flags);
      database.execAndGet("SELECT count(*) FROM sqlite_schema");
      return database;
    } catch (const SQLite::Exception& exception) {
      kLog.debug("{} is read without its log: {}", file.string(), exception.what());
    }
  }
  skipped_log = has_log;
  return {uri_of(file, "mode=ro&immutable=1"), flags};
}

Connection::Connection(SQLite::Database database, std::filesystem::path path,
                       std::filesystem::path file, const DatabaseOptions& options)
    : busy_(options.busy_timeout),
      open_(std::move(database)),
      path_(std::move(path)),
      named_(std::filesystem::absolute(path_)),
      file_(std::move(file)),
      identity_(FileIdentity::of(named_)),
      reads_only_(options.access == Access::read_only) {
  busy_.install(open_->getHandle());
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& path,
                                                     const DatabaseOptions& options) {
  if (options.access == Access::read_only) {
    return open_reading(path, options);
  }
  auto place = DatabasePlace::prepare(path);
  if (!place) {
    return std::unexpected(std::move(place.error()));
  }
  const StoreAction opening{.path = path, .what = kOpening, .busy_timeout = options.busy_timeout};
  const std::filesystem::path file = follow_links(place->absolute());
  if (auto clear = set_aside_foreign_log(file); !clear) {
    return std::unexpected(std::move(clear.error()));
  }
  auto connection = guarded(opening, [&]() -> Result<std::unique_ptr<Connection>> {
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    return std::unique_ptr<Connection>(new Connection(std::move(database), path, file, options));
  });
  if (!connection) {
    return connection;
  }
  // Nothing has been read yet, not even the log.
  const auto changes = change_counter((*connection)->database().getHandle());
  auto ready = changes ? set_aside_log_of_later_state(file, *changes) : Result<void>{};
  if (ready) {
    ready = guarded((*connection)->action(kOpening, kBytesToOpen),
                    [&] { return (*connection)->set_up(); });
  }
  if (!ready) {
    connection->reset();  // closes the file before the place is removed
    return std::unexpected(ready.error());
  }
  place->keep();
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::open_another(const std::filesystem::path& path,
                                                             const DatabaseOptions& options) {
  const StoreAction opening{.path = path, .what = kOpening, .busy_timeout = options.busy_timeout};
  return guarded(opening, [&]() -> Result<std::unique_ptr<Connection>> {
    const std::filesystem::path file = follow_links(path);
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
    return std::unique_ptr<Connection>(new Connection(std::move(database), path, file, options));
  });
}

Result<void> Connection::prepare_to_read(const std::optional<OverwriteWatch>& watch) {
  const Nanoseconds patience = busy_.limit();
  set_patience(Nanoseconds{0});  // the caller then waits with the main connection
  auto ready = guarded(action(kReading), [&]() -> Result<void> {
    open_->exec("PRAGMA query_only = ON");
    static_cast<void>(open_->execAndGet("SELECT count(*) FROM sqlite_schema"));
    return {};
  });
  set_patience(patience);
  if (ready) {
    watch_ = watch;
  }
  return ready;
}

Result<std::unique_ptr<Connection>> Connection::open_reading(const std::filesystem::path& path,
                                                             const DatabaseOptions& options) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) {
    return fail(ErrorCode::not_found, fmt::format("There is no database at {}", path.string()),
                "Name another file with --db PATH.");
  }
  const std::filesystem::path file = follow_links(path);
  const StoreAction opening{.path = path, .what = kReading, .busy_timeout = options.busy_timeout};
  return guarded(opening, [&]() -> Result<std::unique_ptr<Connection>> {
    bool skipped_log = false;
    std::unique_ptr<Connection> connection(
        new Connection(enprof::open_to_read(file, skipped_log), path, file, options));
    if (auto ready = connection->set_up_to_read(); !ready) {
      return std::unexpected(std::move(ready.error()));
    }
    if (skipped_log) {
      kLog.warning(
          "The latest changes of {} are in {}-wal, which cannot be read here: they are not shown. "
          "To see them, let a user who may write the database open it once: enprof runs "
          "--db {}",
          path.string(), file.string(), shell_quote(path.string()));
    }
    return connection;
  });
}

Connection::~Connection() { close(); }

void Connection::close() {
  if (!watch_ || !watch_->check(open_->getHandle())) {
    open_.reset();  // the last connection checkpoints and removes the log
    if (!reads_only_) {
      remove_log_owner_record(file_);
    }
    return;
  }
  sqlite3_db_config(open_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  open_.reset();
  if (!log_ || FileIdentity::of(log_path()) != log_) {
    return;  // another connection has moved the log aside, or will
  }
  if (const auto aside = set_aside_log(file_); !aside) {
    kLog.error("{}", aside.error().message);
  } else if (*aside) {
    kLog.warning(
        "{} was overwritten while it was open. The log of its previous content is now {}: it "
        "belongs to neither version",
        file_.string(), (*aside)->string());
  }
}

void Connection::record_own_writes() {
  if (watch_) {
    static_cast<void>(watch_->check(open_->getHandle()));
  }
}

bool Connection::lost() {
  if (watch_ && watch_->check(open_->getHandle())) {
    return true;
  }
  int moved = 0;
  const int code = sqlite3_file_control(open_->getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  // Check the path that was given, too: it may be a link that now leads elsewhere.
  return (code == SQLITE_OK && moved != 0) || FileIdentity::of(named_) != identity_ ||
         (log_ && FileIdentity::of(log_path()) != log_);
}

void Connection::close_lost(std::unique_ptr<Connection> connection) {
  if (connection->reads_only_) {
    return;
  }
  // The open descriptors reach the files wherever they are now.
  constexpr Nanoseconds kPatience = std::chrono::milliseconds{200};
  connection->set_patience(kPatience);
  connection->checkpoint("TRUNCATE");
  const std::filesystem::path file = connection->file_;
  const bool log_stayed = connection->log_ &&
                          FileIdentity::of(connection->log_path()) == connection->log_ &&
                          FileIdentity::of(file) != connection->identity_;
  connection.reset();
  if (!log_stayed) {
    return;
  }
  if (const auto aside = set_aside_log(file); !aside) {
    kLog.error("{}", aside.error().message);
  } else if (*aside) {
    kLog.warning("The log of the file that was at {} is now {}", file.string(), (*aside)->string());
  }
}

std::filesystem::path Connection::log_path() const {
  std::filesystem::path log = file_;
  log += "-wal";
  return log;
}

StoreAction Connection::action(std::string what) {
  return {.path = path_,
          .what = std::move(what),
          .busy_timeout = busy_.limit(),
          .handle = open_->getHandle()};
}

StoreAction Connection::action(std::string what, std::uintmax_t bytes_needed) {
  StoreAction result = action(std::move(what));
  result.bytes_needed = bytes_needed;
  std::error_code unknown;
  const auto space = std::filesystem::space(directory_of(path_), unknown);
  if (!unknown) {
    result.bytes_free = space.available;
  }
  return result;
}

Result<void> Connection::set_up() {
  if (sqlite3_db_readonly(open_->getHandle(), "main") != 0) {
    return std::unexpected(explain_refusal(path_, "it is read-only"));
  }
  open_->exec("PRAGMA foreign_keys = ON");
  if (open_->execAndGet("PRAGMA foreign_keys").getInt() != 1) {
    return fail(ErrorCode::unsupported, "The SQLite library here was built without foreign keys",
                "Link another one, such as Debian's libsqlite3-0.");
  }
  if (auto ours = check_owner(*open_, path_); !ours) {
    return ours;
  }
  // Before the tables are created: once they exist, everything needed to use them has worked.
  const bool has_log = choose_journal();
  auto current = bring_up_to_date(*open_, path_, schema_migrations());
  checkpoint("PASSIVE");
  if (current) {
    log_ = FileIdentity::of(log_path());
    if (has_log) {
      watch_.emplace();
      record_own_writes();
    }
    record_log_owner(file_, change_counter(open_->getHandle()));
  }
  return current;
}

Result<void> Connection::set_up_to_read() {
  if (auto ours = check_owner(*open_, path_); !ours) {
    return ours;
  }
  const int newest = static_cast<int>(schema_migrations().size());
  if (const int version = schema_version(*open_); version < newest) {
    const std::string copy = shell_quote(path_.filename().string() + ".copy");
    return fail(
        ErrorCode::unsupported,
        version == 0
            ? fmt::format("The database {} has no tables yet and may only be read", path_.string())
            : fmt::format("The database {} has schema version {}; this program reads "
                          "version {} and may not migrate this file",
                          path_.string(), version, newest),
        fmt::format("Copy it to a place where you may write; opening the copy migrates it: "
                    "cp {} {} && enprof runs --db {}",
                    shell_quote(path_.string()), copy, copy));
  }
  return check_newest(*open_, path_, newest);
}

/// In WAL mode readers and a writer do not block each other. The file remembers the mode. Switching
/// to it needs exclusive access for a moment, and SQLite does not always wait for that by itself.
bool Connection::choose_journal() {
  bool wal = open_->execAndGet("PRAGMA journal_mode").getString() == "wal";
  const auto began = std::chrono::steady_clock::now();
  for (int attempts = 0; !wal; ++attempts) {
    try {
      wal = enable_wal(*open_);
      break;
    } catch (const SQLite::Exception& exception) {
      const Nanoseconds pause = busy_.pause(attempts, std::chrono::steady_clock::now() - began);
      if (exception.getErrorCode() != SQLITE_BUSY || pause == Nanoseconds{0}) {
        break;
      }
      std::this_thread::sleep_for(pause);
    }
  }
  if (!wal) {
    kLog.warning("{} stays without a write-ahead log: readers will wait for writers",
                 path_.string());
  }
  // In WAL mode NORMAL may lose the last transactions in a power cut, but never the file.
  open_->exec(wal ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
  open_->exec(fmt::format("PRAGMA journal_size_limit = {}", kLogBytes));
  return wal;
}

void Connection::checkpoint(const char* how) {
  if (watch_ && watch_->check(open_->getHandle())) {
    return;  // it would be written into another file
  }
  const std::string command = fmt::format("PRAGMA wal_checkpoint({})", how);
  if (const int code = open_->tryExec(command); code != SQLITE_OK) {
    // Readers or a full disk prevent it. That is harmless: the log keeps the changes.
    kLog.debug("The log of {} was not checkpointed: {}", path_.string(), sqlite3_errstr(code));
  }
  record_own_writes();
}

}  // namespace enprof
