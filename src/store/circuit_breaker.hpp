// Leaves what keeps failing alone for a while.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/store/store_health.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace enprof {

/// After kFailures failures in a row it opens for kFirstPause; then one probe may pass. A probe
/// that fails doubles the pause, up to kLongestPause; one that succeeds closes it. Threads: one at
/// a time.
class CircuitBreaker {
 public:
  static constexpr std::size_t kFailures = 5;
  static constexpr Nanoseconds kFirstPause = std::chrono::seconds{1};
  static constexpr Nanoseconds kLongestPause = std::chrono::seconds{60};

  /// `name` is what the log calls it. The clock outlives it.
  CircuitBreaker(std::string name, const Clock& clock) : name_(std::move(name)), clock_(&clock) {}

  /// Whether it may be tried now. Errors: unavailable, with the last error and the time to wait.
  [[nodiscard]] Result<void> allow() const;
  void succeeded();
  void failed(const Error& error);

  [[nodiscard]] StoreHealth health() const;

 private:
  std::string name_;
  const Clock* clock_;
  std::size_t failures_ = 0;
  Nanoseconds pause_{0};
  Instant open_until_;
  std::optional<Error> last_error_;
};

}  // namespace enprof
