// The one place where what SQLite throws becomes an Error. Inside the store functions throw
// SQLite::Exception; the methods of ProfileDatabase run them under `guarded`.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

struct sqlite3;

namespace enprof {

/// What was going on, for the message.
struct StoreAction {
  std::filesystem::path path;                ///< of the database
  std::string what;                          ///< "save run 4f2a"
  Nanoseconds busy_timeout{0};               ///< how long a lock was waited for
  std::uintmax_t bytes_needed = 0;           ///< of disk, about
  std::optional<std::uintmax_t> bytes_free;  ///< before it began; empty: not known
  sqlite3* handle = nullptr;                 ///< null where there is none yet
};

/// The Error for the exception that is being handled. Call it in a catch block.
[[nodiscard]] Error error_of_exception(const StoreAction& action);

/// Runs a body that returns a Result, and makes an Error of whatever it throws.
template <class Body>
[[nodiscard]] std::invoke_result_t<Body> guarded(const StoreAction& action, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    return std::unexpected(error_of_exception(action));
  }
}

}  // namespace enprof
