// Notices that the machine has slept.
#pragma once

#include "enprof/base/clock.hpp"

#include <optional>

namespace enprof {

/// A clock that goes on while the machine sleeps is ahead of the monotonic one by all the time
/// slept. Threads: one at a time.
class SuspendWatch {
 public:
  /// Both live longer than this. Without a boot clock nothing is noticed.
  SuspendWatch(const Clock& monotonic, const Clock* boot) : monotonic_(&monotonic), boot_(boot) {}

  /// How long the machine has slept since the last call; zero at the first.
  [[nodiscard]] Nanoseconds slept();

  /// Less is taken for an error of the clocks.
  static constexpr Nanoseconds kShortest = std::chrono::milliseconds{1};

 private:
  const Clock* monotonic_;
  const Clock* boot_;
  std::optional<Nanoseconds> most_ahead_;  // at the last call
};

}  // namespace enprof
