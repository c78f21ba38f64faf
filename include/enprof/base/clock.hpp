// The one clock of enprof: every window and every span is stamped with it where the fact arose.
#pragma once

#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"

#include <chrono>

namespace enprof {

/// A point on the monotonic clock (CLOCK_MONOTONIC on Linux), in nanoseconds.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Nanoseconds>;

/// The source of instants, passed to whatever reads hardware so that tests can move time by hand.
/// Threads: `now` may be called from any thread.
class ENPROF_API Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const noexcept = 0;
};

/// The real clock. Lives as long as the program.
[[nodiscard]] ENPROF_API const Clock& monotonic_clock() noexcept;
/// The same, but it goes on while the machine sleeps (CLOCK_BOOTTIME; where a system has none, the
/// monotonic clock). Only differences from the monotonic clock mean anything.
[[nodiscard]] ENPROF_API const Clock& boot_clock() noexcept;

}  // namespace enprof
