#include "enprof/base/clock.hpp"

namespace enprof {
namespace {

class MonotonicClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override {
    return std::chrono::time_point_cast<Nanoseconds>(std::chrono::steady_clock::now());
  }
};

}  // namespace

const Clock& monotonic_clock() noexcept {
  static const MonotonicClock clock;
  return clock;
}

}  // namespace enprof
