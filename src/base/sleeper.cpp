#include "base/sleeper.hpp"

#include <thread>

namespace enprof {
namespace {

class MonotonicSleeper final : public Sleeper {
 public:
  void sleep_until(Instant instant) const override { std::this_thread::sleep_until(instant); }
};

}  // namespace

const Sleeper& monotonic_sleeper() noexcept {
  static const MonotonicSleeper sleeper;
  return sleeper;
}

}  // namespace enprof
