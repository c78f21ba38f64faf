#include "store/sqlite_error.hpp"

#include "base/file_limit.hpp"
#include "base/format_bytes.hpp"
#include "base/shell_quote.hpp"
#include "store/busy_wait.hpp"
#include "store/database_file.hpp"
#include "store/log_owner.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <new>
#include <string_view>
#include <system_error>

namespace enprof {
namespace {

Error disk_full(const StoreAction& action) {
  std::string space;
  if (action.bytes_free) {
    space = fmt::format(" ({} free, about {} needed)", format_bytes(*action.bytes_free),
                        format_bytes(action.bytes_needed));
  }
  // Deleting runs takes disk space too, for the log.
  constexpr std::uintmax_t kRoomToPrune = 1 << 20;
  const bool may_prune = action.bytes_free && *action.bytes_free >= kRoomToPrune;
  return {
      ErrorCode::too_large,
      fmt::format("Cannot {}: the disk with {} is full{}", action.what, action.path.string(),
                  space),
      fmt::format("The database is as it was before. Free some space there (df -h {}{}), or name "
                  "a file on another disk with --db PATH.",
                  shell_quote(directory_of(action.path).string()),
                  may_prune ? "; enprof db prune" : "")};
}

Error busy(const StoreAction& action) {
  const std::string holder = lock_holder(action.path);
  return {ErrorCode::busy,
          fmt::format("Cannot {}: {} still locks {} after {:.1f} s of waiting", action.what,
                      holder.empty() ? "another program" : holder, action.path.string(),
                      seconds(action.busy_timeout)),
          fmt::format("Wait until it has finished and try again. To see which it is: fuser -v {}",
                      shell_quote(action.path.string()))};
}

Error corrupt(const StoreAction& action, const char* detail) {
  const std::string file = shell_quote(action.path.string());
  return {ErrorCode::corrupt,
          fmt::format("Cannot {}: the database {} is damaged: {}", action.what,
                      action.path.string(), detail),
          fmt::format("See what is wrong: enprof db check --db {0}. Save what can be read into "
                      "another file, and name that one with --db: enprof db check --db {0} "
                      "--salvage {0}.salvaged",
                      file)};
}

Error not_a_database(const StoreAction& action) {
  const std::string file = shell_quote(action.path.string());
  return {ErrorCode::corrupt,
          fmt::format("{} is not a database: it is some other kind of file, or its beginning was "
                      "overwritten",
                      action.path.string()),
          fmt::format("Name another file with --db PATH, or move this one away: mv {} {}.old", file,
                      file)};
}

Error constraint(const StoreAction& action, int code, const char* detail) {
  if (code == SQLITE_CONSTRAINT_NOTNULL) {
    return {ErrorCode::invalid_argument,
            fmt::format("Cannot {}: a required value is not a number ({})", action.what, detail),
            "This is a bug in the program that recorded the run."};
  }
  return {ErrorCode::invalid_argument,
          fmt::format("Cannot {}: {}. Nothing was changed", action.what, detail),
          "What belongs to a run can be saved only after the run itself."};
}

/// SQLite reports a full disk as "I/O error" if its shared memory does not fit.
bool out_of_space(const StoreAction& action) {
  const int number = action.handle != nullptr ? sqlite3_system_errno(action.handle) : 0;
  return number == ENOSPC || number == EDQUOT;
}

/// SQLite keeps the system's errno of some writes only, so a file that has reached the limit also
/// counts.
bool beyond_file_limit(const StoreAction& action) {
  if (action.handle != nullptr && sqlite3_system_errno(action.handle) == EFBIG) {
    return true;
  }
  constexpr std::uintmax_t kPage = 4096 + 24;     // in the log, with its header
  constexpr std::uintmax_t kLogIndex = 32 << 10;  // at least
  const auto limit = file_limit();
  if (!limit) {
    return false;
  }
  const auto at_limit = [&](std::string_view suffix) {
    std::error_code failed;
    const auto bytes =
        std::filesystem::file_size(beside(follow_links(action.path), suffix), failed);
    return !failed && bytes + kPage > *limit;
  };
  return *limit < kLogIndex || at_limit("") || at_limit("-wal") || at_limit("-journal");
}

Error file_too_large(const StoreAction& action) {
  return {ErrorCode::too_large,
          fmt::format("Cannot {}: a file of the database {} would exceed the limit on file sizes",
                      action.what, action.path.string()),
          "The database is as it was before. " + file_limit_hint()};
}

Error of_sqlite(const StoreAction& action, const SQLite::Exception& exception) {
  const char* const detail = exception.what();
  const auto plain = [&](ErrorCode code, std::string hint = {}) {
    return Error{code, fmt::format("Cannot {} ({}): {}", action.what, action.path.string(), detail),
                 std::move(hint)};
  };
  switch (exception.getErrorCode()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return busy(action);
    case SQLITE_FULL: {
      // SQLite reports a write that stopped at the file size limit as a full disk.
      const bool has_room = action.bytes_free && *action.bytes_free > action.bytes_needed;
      return has_room && beyond_file_limit(action) ? file_too_large(action) : disk_full(action);
    }
    case SQLITE_NOTADB:
      return not_a_database(action);
    case SQLITE_CORRUPT:
      return corrupt(action, detail);
    case SQLITE_CONSTRAINT:
      return constraint(action, exception.getExtendedErrorCode(), detail);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      if (out_of_space(action)) {
        return disk_full(action);
      }
      return explain_refusal(action.path, detail);
    case SQLITE_IOERR:
      if (out_of_space(action)) {
        return disk_full(action);
      }
      if (beyond_file_limit(action)) {
        return file_too_large(action);
      }
      return plain(ErrorCode::io, "Look for disk errors in the system's log: dmesg | tail");
    case SQLITE_TOOBIG:
      return plain(ErrorCode::too_large, "A single text of a run can have up to 1 GB.");
    case SQLITE_NOMEM:
      return plain(ErrorCode::too_large, "Close other programs: there is no memory left.");
    default:
      return plain(ErrorCode::internal);
  }
}

}  // namespace

Error error_of_exception(const StoreAction& action) {
  try {
    throw;
  } catch (const SQLite::Exception& exception) {
    return of_sqlite(action, exception);
  } catch (const std::bad_alloc&) {
    return {ErrorCode::too_large, fmt::format("Cannot {}: out of memory", action.what),
            "Close other programs: there is no memory left."};
  } catch (const std::exception& exception) {
    return {ErrorCode::internal, fmt::format("Cannot {}: {}", action.what, exception.what()), {}};
  } catch (...) {
    return {ErrorCode::internal, fmt::format("Cannot {}: unknown error", action.what), {}};
  }
}

}  // namespace enprof
