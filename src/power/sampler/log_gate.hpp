// Limits how often the same thing is logged.
#pragma once

#include "enprof/base/clock.hpp"

#include <optional>

namespace enprof {

/// Opens once, and then at most once a minute. Threads: one at a time.
class LogGate {
 public:
  [[nodiscard]] bool opens(Instant now) {
    if (last_ && now - *last_ < kPause) {
      return false;
    }
    last_ = now;
    return true;
  }
  /// The next call of opens() returns true again.
  void reset() { last_.reset(); }

  static constexpr Nanoseconds kPause = std::chrono::minutes{1};

 private:
  std::optional<Instant> last_;
};

}  // namespace enprof
