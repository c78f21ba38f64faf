// How often the log hears of the same thing.
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
  /// The next one is told again at once.
  void reset() { last_.reset(); }

  static constexpr Nanoseconds kPause = std::chrono::minutes{1};

 private:
  std::optional<Instant> last_;
};

}  // namespace enprof
