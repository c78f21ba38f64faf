#include "store/database_access.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"

#include <chrono>
#include <system_error>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

constexpr Nanoseconds kRestAfter = std::chrono::seconds{1};
constexpr Nanoseconds kSettledAfter = std::chrono::milliseconds{300};

/// Whether an error says something about the store, rather than about what it was asked.
bool is_trouble(const Error& error) {
  switch (error.code) {
    case ErrorCode::busy:
    case ErrorCode::corrupt:
    case ErrorCode::io:
    case ErrorCode::permission_denied:
    case ErrorCode::too_large:
    case ErrorCode::unavailable:
    case ErrorCode::internal:
      return true;
    default:
      return false;
  }
}

}  // namespace

DatabaseAccess::DatabaseAccess(std::unique_ptr<Connection> connection, std::filesystem::path path,
                               const DatabaseOptions& options)
    : connection_(std::move(connection)),
      path_(std::move(path)),
      options_(options),
      readers_(path_, options_),
      clock_(options.clock != nullptr ? *options.clock : monotonic_clock()),
      used_at_(clock_.now()),
      breaker_(fmt::format("The database {}", path_.string()), clock_) {
  if (connection_) {
    follow_connection();
  }
}

StoreHealth DatabaseAccess::health() const {
  const std::lock_guard lock(state_mutex_);
  StoreHealth health = breaker_.health();
  health.read_error = read_error_;
  return health;
}

void DatabaseAccess::drain_log() {
  const std::lock_guard lock(mutex_);
  if (connection_) {
    connection_->drain_log("PASSIVE");
  }
}

/// Others may read the file beside the connection, unless that one changes nothing itself.
void DatabaseAccess::follow_connection() {
  if (options_.access != Access::read_only) {
    readers_.follow(*connection_);
  }
}

void DatabaseAccess::rest() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || !connection_ || clock_.now() - used_at_.load() < kRestAfter) {
    return;
  }
  readers_.stop();
  if (connection_->lost()) {
    Connection::part(std::move(connection_));
  }
  connection_.reset();
  rested_ = FileIdentity::of(path_);
}

/// Whoever writes over a file may not be done yet: half a file must not be opened.
bool DatabaseAccess::changed_just_now() const {
  std::error_code unknown;
  const auto changed = std::filesystem::last_write_time(path_, unknown);
  const auto age = std::filesystem::file_time_type::clock::now() - changed;
  return !unknown && age >= age.zero() && age < kSettledAfter;
}

Result<void> DatabaseAccess::open_again() {
  if (was_overwritten_ && changed_just_now()) {
    return fail(
        ErrorCode::busy,
        fmt::format("Another program writes over the database {} at this moment", path_.string()),
        "Wait until it is done and try again.");
  }
  was_overwritten_ = false;
  const auto now_there = FileIdentity::of(path_);
  auto opened = Connection::open(path_, options_);
  if (!opened) {
    kLog.error("Database connection failed: {}", opened.error().message);
    return std::unexpected(std::move(opened.error()));
  }
  connection_ = *std::move(opened);
  follow_connection();
  if (!rested_) {
    kLog.info("Connected to profiling database at {} again", path_.string());
  } else if (now_there != rested_) {
    kLog.warning("{} while it was not in use: runs of before are where it was moved to",
                 now_there ? fmt::format("Another file has taken the place of {}", path_.string())
                           : fmt::format("The database {} was taken away, and a new one is made",
                                         path_.string()));
  }
  rested_.reset();
  return {};
}

/// Connects anew where the connection was lost before; says so where it is lost now.
Result<void> DatabaseAccess::connect() {
  used_at_ = clock_.now();
  if (!connection_) {
    return open_again();
  }
  if (!connection_->lost()) {
    return {};
  }
  readers_.stop();
  was_overwritten_ = connection_->is_overwritten();
  Connection::part(std::move(connection_));
  Error error = was_overwritten_ ? overwritten() : taken_away();
  kLog.error("Database connection failed: {}", error.message);
  return std::unexpected(std::move(error));
}

Error DatabaseAccess::overwritten() const {
  return {
      ErrorCode::io,
      fmt::format("The connection to the database {} is lost: the file was written over "
                  "while it was open",
                  path_.string()),
      fmt::format(
          "The next attempt opens what is there now. Changes of just before that are not in it, "
          "but "
          "in {}-wal.replaced. To put a copy in place while programs use the database, and keep "
          "what was there: enprof db restore FILE --db {}",
          follow_links(path_).string(), shell_quote(path_.string()))};
}

Error DatabaseAccess::taken_away() const {
  const std::string file = shell_quote(path_.string());
  return {
      ErrorCode::io,
      fmt::format("The connection to the database {} is lost: the file was deleted, moved "
                  "or replaced while it was open",
                  path_.string()),
      fmt::format("A file that was moved is whole where it is now. To have its runs here again, "
                  "also while programs use this place: enprof db restore FILE --db {0}. Or leave "
                  "it: the next attempt connects again, and makes a new file where there is none "
                  "(ls -l {0}).",
                  file)};
}

Result<void> DatabaseAccess::may_write() const {
  const std::lock_guard lock(state_mutex_);
  return breaker_.allow();
}

void DatabaseAccess::note_write(const Error* error) {
  if (error != nullptr && !is_trouble(*error)) {
    return;
  }
  {
    const std::lock_guard lock(state_mutex_);
    if (error == nullptr) {
      breaker_.succeeded();
    } else {
      breaker_.failed(*error);
    }
  }
  if (error != nullptr && error->code == ErrorCode::too_large && connection_) {
    connection_->drain_log("TRUNCATE");
  }
}

void DatabaseAccess::note_read(const Error* error) {
  const std::lock_guard lock(state_mutex_);
  read_error_ = error != nullptr && is_trouble(*error) ? std::optional{*error} : std::nullopt;
}

}  // namespace enprof
