#include "store/database_access.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"

#include <chrono>
#include <system_error>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

constexpr Nanoseconds kIdleAfter = std::chrono::seconds{1};
constexpr Nanoseconds kSettledAfter = std::chrono::milliseconds{300};

/// Whether an error is the store's fault, not that of the request.
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
    lend_to_readers();
  }
}

StoreHealth DatabaseAccess::health() const {
  const std::lock_guard lock(state_mutex_);
  StoreHealth health = breaker_.health();
  health.read_error = read_error_;
  return health;
}

void DatabaseAccess::checkpoint() {
  const std::lock_guard lock(mutex_);
  if (connection_) {
    connection_->checkpoint("PASSIVE");
  }
}

/// Lends connections to readers too, unless the connection is read-only.
void DatabaseAccess::lend_to_readers() {
  if (options_.access != Access::read_only) {
    readers_.lend_for(*connection_);
  }
}

void DatabaseAccess::close_if_idle() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || !connection_ || clock_.now() - used_at_.load() < kIdleAfter) {
    return;
  }
  readers_.stop_lending();
  if (connection_->lost()) {
    Connection::close_lost(std::move(connection_));
  }
  connection_.reset();
  idle_file_ = FileIdentity::of(path_);
}

/// Another program may still be writing the file: half a file must not be opened.
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
        fmt::format("Another program is overwriting the database {} right now", path_.string()),
        "Wait until it has finished and try again.");
  }
  was_overwritten_ = false;
  const auto now_there = FileIdentity::of(path_);
  auto opened = Connection::open(path_, options_);
  if (!opened) {
    kLog.error("Database connection failed: {}", opened.error().message);
    return std::unexpected(std::move(opened.error()));
  }
  connection_ = *std::move(opened);
  lend_to_readers();
  if (!idle_file_) {
    kLog.info("Connected to profiling database at {} again", path_.string());
  } else if (now_there != idle_file_) {
    kLog.warning(
        "{} while it was not in use. The earlier runs are in the file that was there before",
        now_there
            ? fmt::format("Another file has replaced {}", path_.string())
            : fmt::format("The database {} was removed and a new one was created", path_.string()));
  }
  idle_file_.reset();
  return {};
}

/// Reconnects if the connection was lost earlier; gives an error if it turns out to be lost now.
Result<void> DatabaseAccess::connect() {
  used_at_ = clock_.now();
  if (!connection_) {
    return open_again();
  }
  if (!connection_->lost()) {
    return {};
  }
  readers_.stop_lending();
  was_overwritten_ = connection_->is_overwritten();
  Connection::close_lost(std::move(connection_));
  Error error = was_overwritten_ ? overwritten_error() : file_lost_error();
  kLog.error("Database connection failed: {}", error.message);
  return std::unexpected(std::move(error));
}

Error DatabaseAccess::overwritten_error() const {
  return {
      ErrorCode::io,
      fmt::format("The connection to the database {} is lost: the file was overwritten "
                  "while it was open",
                  path_.string()),
      fmt::format(
          "The next attempt opens the file that is there now. The last changes to the previous "
          "content are in {}-wal.replaced. To restore a copy while programs use the database, and "
          "keep its previous content: enprof db restore FILE --db {}",
          follow_links(path_).string(), shell_quote(path_.string()))};
}

Error DatabaseAccess::file_lost_error() const {
  const std::string file = shell_quote(path_.string());
  return {ErrorCode::io,
          fmt::format("The connection to the database {} is lost: the file was deleted, moved "
                      "or replaced while it was open",
                      path_.string()),
          fmt::format(
              "A file that was moved is complete in its new place. To get its runs back here, "
              "even while programs use this database: enprof db restore FILE --db {0}. If you "
              "do nothing, the next attempt connects again, and creates a new file if none exists "
              "(ls -l {0}).",
              file)};
}

Result<void> DatabaseAccess::may_write() const {
  const std::lock_guard lock(state_mutex_);
  return breaker_.allow();
}

void DatabaseAccess::record_write(const Error* error) {
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
    connection_->checkpoint("TRUNCATE");
  }
}

void DatabaseAccess::record_read(const Error* error) {
  const std::lock_guard lock(state_mutex_);
  read_error_ = error != nullptr && is_trouble(*error) ? std::optional{*error} : std::nullopt;
}

}  // namespace enprof
