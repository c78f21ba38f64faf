// Expected failures are values: a Result is either the value, or an Error that says what failed and
// what to do about it.
#pragma once

#include "enprof/base/export.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace enprof {

enum class ErrorCode : std::uint8_t {
  invalid_argument,   ///< a value that the caller passed cannot be used
  not_found,          ///< a file, sensor, run or library is not there
  permission_denied,  ///< it is there, but this user may not use it
  unavailable,        ///< it exists but does not answer now
  unsupported,        ///< this build, platform or model cannot do it
  already_running,    ///< start() was called while it is running
  not_running,        ///< used before start() or after stop()
  malformed,          ///< input that does not parse
  corrupt,            ///< a file whose content contradicts itself
  too_large,          ///< does not fit: memory, context, disk
  busy,               ///< another process holds it
  io,                 ///< the operating system refused a read or a write
  process_exited,     ///< a child process ended before it was expected to
  cancelled,          ///< stopped on purpose
  internal,           ///< a bug in enprof or in a library that it calls
};

/// The code's name as written above, for logs and JSON.
[[nodiscard]] ENPROF_API std::string_view to_string(ErrorCode code) noexcept;

/// `message`: what failed, with the path, id or value. `hint`: what to do, the exact command or
/// line.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  std::string hint;  ///< empty if there is no advice

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// Makes a Result that holds an error.
[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message,
                                                 std::string hint = {}) {
  return std::unexpected<Error>(Error{code, std::move(message), std::move(hint)});
}

/// The code that fits an errno value: EACCES → permission_denied, ENOENT → not_found, …
[[nodiscard]] ENPROF_API ErrorCode error_code_from_errno(int error_number) noexcept;

}  // namespace enprof
