// Stops calling something that keeps failing, for a while.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/store/store_health.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace enprof {

/// After kFailures failures in a row it opens for kFirstPause; then one probe may pass. If the
/// probe fails, the pause doubles, up to kLongestPause; if it succeeds, the breaker closes.
/// Threads: one at a time.
class CircuitBreaker {
 public:
  static constexpr std::size_t kFailures = 5;
  static constexpr Nanoseconds kFirstPause = std::chrono::seconds{1};
  static constexpr Nanoseconds kLongestPause = std::chrono::seconds{60};

  /// `name` appears in the log. The clock must outlive the breaker.
  CircuitBreaker(std::string name, const Clock& clock) : name_(std::move(name)), clock_(&clock) {}

  /// Whether an attempt is allowed now. Errors: unavailable, with the last error and the time to
  /// wait.
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
