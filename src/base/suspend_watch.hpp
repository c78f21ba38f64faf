// Notices that the machine has slept.
#pragma once

#include "enprof/base/clock.hpp"

#include <optional>

namespace enprof {

/// A clock that counts while the machine sleeps is ahead of the monotonic clock by the time slept.
/// Threads: one at a time.
class SuspendWatch {
 public:
  /// Both clocks outlive this. Without a boot clock no sleep is noticed.
  SuspendWatch(const Clock& monotonic, const Clock* boot) : monotonic_(&monotonic), boot_(boot) {}

  /// How long the machine has slept since the last call; zero at the first.
  [[nodiscard]] Nanoseconds slept();

  /// A shorter time counts as an error of the clocks.
  static constexpr Nanoseconds kShortest = std::chrono::milliseconds{1};

 private:
  const Clock* monotonic_;
  const Clock* boot_;
  std::optional<Nanoseconds> most_ahead_;  // at the last call
};

}  // namespace enprof
