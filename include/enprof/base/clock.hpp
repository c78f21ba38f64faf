// The one clock of enprof: each window and each span is stamped with it when it arises.
#pragma once

#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"

#include <chrono>

namespace enprof {

/// A point on the monotonic clock (CLOCK_MONOTONIC on Linux), in nanoseconds.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Nanoseconds>;

/// The source of instants. Code that reads hardware takes it as an argument, so that tests can
/// control time. Threads: `now` may be called from any thread.
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
/// Like the monotonic clock, but it also counts while the machine sleeps (CLOCK_BOOTTIME; on
/// systems without one it is the monotonic clock). Only differences to the monotonic clock have a
/// meaning.
[[nodiscard]] ENPROF_API const Clock& boot_clock() noexcept;

}  // namespace enprof
