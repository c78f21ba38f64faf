// Decides at which of many borders to read the clock.
#pragma once

#include "enprof/base/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace enprof {

/// A thread passes a border between two operations every few ten microseconds and waits for an
/// instant. Reading the clock at each border would cost more than it is worth: so it is read again
/// after half of the borders that should lie before that instant, then after half of the rest, …
/// The instant is met by the next border, unless borders suddenly lie further apart.
/// Threads: one at a time.
class BorderPace {
 public:
  /// Call this at each border: whether to read the clock.
  [[nodiscard]] bool is_due() noexcept {
    ++passed_;
    if (left_ == 0) {
      return true;
    }
    --left_;
    return false;
  }
  /// The clock was read at this border, and the next instant to wait for is `due`.
  void plan(Instant now, Instant due) noexcept {
    if (last_ && now > *last_) {
      const Nanoseconds gap = (now - *last_) / passed_;
      gap_ = gap > gap_ ? gap : gap_ + (gap - gap_) / kSmooth;  // to look too often costs little
    }
    last_ = now;
    passed_ = 0;
    if (gap_ <= Nanoseconds{0} || due <= now) {
      left_ = 0;
      return;
    }
    const Nanoseconds wait = std::min(due, now + kLongest) - now;
    left_ = static_cast<std::uint32_t>(std::min(wait / (2 * gap_), kMostLeft));
  }
  /// Borders that come now may lie otherwise apart than those before: the next one reads the clock.
  void restart() noexcept {
    left_ = 0;
    passed_ = 0;
    gap_ = Nanoseconds{0};
    last_.reset();
  }

  static constexpr Nanoseconds::rep kMostLeft = 4096;

 private:
  static constexpr int kSmooth = 4;
  static constexpr Nanoseconds kLongest = std::chrono::seconds{1};

  std::uint32_t left_ = 0;    // borders to pass without a look
  std::uint32_t passed_ = 0;  // since the last look
  Nanoseconds gap_{0};
  std::optional<Instant> last_;  // look
};

}  // namespace enprof
