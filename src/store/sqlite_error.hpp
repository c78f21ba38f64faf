// The one place where an SQLite exception becomes an Error. Functions inside the store throw
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

/// What was being done, for error messages.
struct StoreAction {
  std::filesystem::path path;                ///< of the database
  std::string what;                          ///< "save run 4f2a"
  Nanoseconds busy_timeout{0};               ///< how long it waited for a lock
  std::uintmax_t bytes_needed = 0;           ///< disk space, about
  std::optional<std::uintmax_t> bytes_free;  ///< before the action began; empty: unknown
  sqlite3* handle = nullptr;                 ///< null if the file is not open yet
};

/// The Error for the exception that is being handled. Call it in a catch block.
[[nodiscard]] Error error_of_exception(const StoreAction& action);

/// Runs a body that returns a Result, and turns an exception into an Error.
template <class Body>
[[nodiscard]] std::invoke_result_t<Body> guarded(const StoreAction& action, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    return std::unexpected(error_of_exception(action));
  }
}

}  // namespace enprof
