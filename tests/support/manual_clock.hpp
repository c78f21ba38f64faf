// A clock that stands still until a test moves it.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"

#include <atomic>

namespace enprof::testing {

/// Threads: any.
class ManualClock final : public Clock {
 public:
  /// Not at zero: an instant that was never set shall not pass for one that was.
  explicit ManualClock(Nanoseconds start = std::chrono::hours{1}) : now_(start.count()) {}

  [[nodiscard]] Instant now() const noexcept override {
    return Instant{Nanoseconds{now_.load(std::memory_order_relaxed)}};
  }
  void advance(Nanoseconds duration) {
    now_.fetch_add(duration.count(), std::memory_order_relaxed);
  }

 private:
  std::atomic<Nanoseconds::rep> now_;
};

/// Moves a clock instead of waiting. Threads: one.
class ManualSleeper final : public Sleeper {
 public:
  explicit ManualSleeper(ManualClock& clock) : clock_(clock) {}

  void sleep_until(Instant instant) const override {
    if (const Nanoseconds left = instant - clock_.now(); left > Nanoseconds{0}) {
      clock_.advance(left);
    }
  }

 private:
  ManualClock& clock_;
};

}  // namespace enprof::testing
