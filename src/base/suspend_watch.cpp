#include "base/suspend_watch.hpp"

namespace enprof {

Nanoseconds SuspendWatch::slept() {
  if (boot_ == nullptr) {
    return Nanoseconds{0};
  }
  // The thread may lose the CPU in between: only the difference of these two is certain.
  const Instant before = monotonic_->now();
  const Instant boot = boot_->now();
  const Instant after = monotonic_->now();
  const Nanoseconds least = boot - after;
  const Nanoseconds most = boot - before;
  Nanoseconds slept{0};
  if (most_ahead_ && least - *most_ahead_ >= kShortest) {
    slept = least - *most_ahead_;
  }
  most_ahead_ = most;
  return slept;
}

}  // namespace enprof
