// The state of the store, for the log and the health report.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace enprof {

/// Whether writes are attempted.
enum class BreakerState : std::uint8_t {
  closed,     ///< working, or not enough failures in a row
  open,       ///< too many failures: writes are paused
  half_open,  ///< the pause is over: the next write is the probe
};
[[nodiscard]] ENPROF_API std::string_view to_string(BreakerState state) noexcept;

struct StoreHealth {
  BreakerState state = BreakerState::closed;
  std::size_t failures_in_a_row = 0;
  Nanoseconds retry_in{0};          ///< open: until the next probe
  std::optional<Error> last_error;  ///< the last of the failures in a row; empty if there are none
  /// The error of the last read, if it failed. Read errors do not open the breaker: a reader waits
  /// for its answer and may ask again.
  std::optional<Error> read_error{};
  std::size_t unsaved_runs = 0;  ///< finished runs in memory that could not be saved yet
};

}  // namespace enprof
