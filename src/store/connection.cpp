#include "store/connection.hpp"

#include "base/log.hpp"
#include "store/database_file.hpp"
#include "store/schema.hpp"
#include "store/schema_scripts.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
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

bool enable_wal(SQLite::Database& database) {
  return database.execAndGet("PRAGMA journal_mode = WAL").getString() == "wal";
}

}  // namespace

Connection::Connection(SQLite::Database database, std::filesystem::path path,
                       const DatabaseOptions& options)
    : busy_(options.busy_timeout), database_(std::move(database)), path_(std::move(path)) {
  busy_.install(database_.getHandle());
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& path,
                                                     const DatabaseOptions& options) {
  auto place = DatabasePlace::prepare(path);
  if (!place) {
    return std::unexpected(std::move(place.error()));
  }
  const StoreAction opening{.path = path, .what = kOpening, .busy_timeout = options.busy_timeout};
  auto connection = guarded(opening, [&]() -> Result<std::unique_ptr<Connection>> {
    SQLite::Database database(place->absolute().string(),
                              SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    return std::unique_ptr<Connection>(new Connection(std::move(database), path, options));
  });
  if (!connection) {
    return connection;
  }
  const auto ready = guarded((*connection)->action(kOpening, kBytesToOpen),
                             [&] { return (*connection)->set_up(); });
  if (!ready) {
    connection->reset();  // closes the file before the place is cleared
    return std::unexpected(ready.error());
  }
  place->keep();
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::open_to_read(const std::filesystem::path& path,
                                                             const DatabaseOptions& options) {
  const StoreAction opening{.path = path, .what = kOpening, .busy_timeout = options.busy_timeout};
  return guarded(opening, [&]() -> Result<std::unique_ptr<Connection>> {
    SQLite::Database database(std::filesystem::absolute(path).string(), SQLite::OPEN_READWRITE);
    return std::unique_ptr<Connection>(new Connection(std::move(database), path, options));
  });
}

Result<void> Connection::prepare_to_read() {
  const Nanoseconds patience = busy_.limit();
  set_patience(Nanoseconds{0});  // who has another connection waits with that
  auto ready = guarded(action("read the database"), [&]() -> Result<void> {
    database_.exec("PRAGMA query_only = ON");
    static_cast<void>(database_.execAndGet("SELECT count(*) FROM sqlite_schema"));
    return {};
  });
  set_patience(patience);
  return ready;
}

bool Connection::lost() {
  int moved = 0;
  const int code =
      sqlite3_file_control(database_.getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

StoreAction Connection::action(std::string what) {
  return {.path = path_,
          .what = std::move(what),
          .busy_timeout = busy_.limit(),
          .handle = database_.getHandle()};
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
  choose_journal();
  auto current = bring_up_to_date(database_, path_, schema_migrations());
  drain_log("PASSIVE");
  return current;
}

/// Readers and a writer do not block each other in WAL mode, which the file remembers. Switching
/// needs the file for a moment alone, and SQLite does not always wait for that by itself.
void Connection::choose_journal() {
  bool wal = database_.execAndGet("PRAGMA journal_mode").getString() == "wal";
  const auto began = std::chrono::steady_clock::now();
  for (int attempts = 0; !wal; ++attempts) {
    try {
      wal = enable_wal(database_);
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
  // In WAL mode NORMAL loses at most the last transactions in a power cut, and never the file.
  database_.exec(wal ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
  database_.exec(fmt::format("PRAGMA journal_size_limit = {}", kLogBytes));
}

void Connection::drain_log(const char* how) {
  const std::string command = fmt::format("PRAGMA wal_checkpoint({})", how);
  if (const int code = database_.tryExec(command); code != SQLITE_OK) {
    // Readers or a full disk are in the way: the log is as good a place.
    kLog.debug("The log of {} was not carried over: {}", path_.string(), sqlite3_errstr(code));
  }
}

}  // namespace enprof
