// How the store is doing, for the log and for whoever asks after its health.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace enprof {

/// Whether writing is tried at all.
enum class BreakerState : std::uint8_t {
  closed,     ///< all is well, or has not failed often enough
  open,       ///< it failed too often: it is left alone for a while
  half_open,  ///< the while is over: the next write is the probe
};
[[nodiscard]] ENPROF_API std::string_view to_string(BreakerState state) noexcept;

struct StoreHealth {
  BreakerState state = BreakerState::closed;
  std::size_t failures_in_a_row = 0;
  Nanoseconds retry_in{0};          ///< open: until the next probe
  std::optional<Error> last_error;  ///< of the failures in a row; empty while there are none
  /// Of the last attempt to read, where that failed. It opens no breaker: a reader waits for its
  /// answer and may ask again.
  std::optional<Error> read_error{};
  std::size_t unsaved_runs = 0;  ///< that are over, and in memory until they can be saved
};

}  // namespace enprof
