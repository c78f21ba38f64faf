// Sleeps until an instant.
#pragma once

#include "enprof/base/clock.hpp"

namespace enprof {

/// Puts the calling thread to sleep. It is separate from the clock, so that tests can advance the
/// time instead. Threads: any.
class Sleeper {
 public:
  Sleeper() = default;
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  virtual ~Sleeper() = default;

  /// Returns at or after the instant, at once if it has passed.
  virtual void sleep_until(Instant instant) const = 0;
};

/// Sleeps on the monotonic clock. Lives as long as the program.
[[nodiscard]] const Sleeper& monotonic_sleeper() noexcept;

}  // namespace enprof
