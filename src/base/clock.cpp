#include "enprof/base/clock.hpp"

#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_gettime is POSIX, not C++

namespace enprof {
namespace {

class MonotonicClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override {
    return std::chrono::time_point_cast<Nanoseconds>(std::chrono::steady_clock::now());
  }
};

class BootClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override {
#if defined(CLOCK_BOOTTIME)
    timespec time{};
    if (clock_gettime(CLOCK_BOOTTIME, &time) == 0) {
      return Instant{std::chrono::seconds{time.tv_sec} + Nanoseconds{time.tv_nsec}};
    }
#endif
    return monotonic_clock().now();
  }
};

}  // namespace

const Clock& monotonic_clock() noexcept {
  static const MonotonicClock clock;
  return clock;
}

const Clock& boot_clock() noexcept {
  static const BootClock clock;
  return clock;
}

}  // namespace enprof
