#include "store/circuit_breaker.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

}  // namespace

std::string_view to_string(BreakerState state) noexcept {
  switch (state) {
    case BreakerState::closed:
      return "closed";
    case BreakerState::open:
      return "open";
    case BreakerState::half_open:
      return "half_open";
  }
  return "unknown";
}

Result<void> CircuitBreaker::allow() const {
  const StoreHealth now = health();
  if (now.state != BreakerState::open) {
    return {};
  }
  return fail(ErrorCode::unavailable,
              fmt::format("{} failed {} times in a row and is not tried for another {:.1f} s. Last "
                          "failure: {}",
                          name_, failures_, seconds(now.retry_in), last_error_->message),
              last_error_->hint);
}

void CircuitBreaker::succeeded() {
  if (failures_ >= kFailures) {
    kLog.info("{} works again after {} failures", name_, failures_);
  }
  failures_ = 0;
  pause_ = Nanoseconds{0};
  last_error_.reset();
}

void CircuitBreaker::failed(const Error& error) {
  last_error_ = error;
  if (++failures_ < kFailures) {
    return;
  }
  pause_ = pause_ == Nanoseconds{0} ? kFirstPause : std::min(2 * pause_, kLongestPause);
  open_until_ = clock_->now() + pause_;
  kLog.warning("{} failed {} times in a row: it is not tried for {:.0f} s", name_, failures_,
               seconds(pause_));
}

StoreHealth CircuitBreaker::health() const {
  StoreHealth result{.failures_in_a_row = failures_, .last_error = last_error_};
  if (failures_ >= kFailures) {
    const Nanoseconds left = open_until_ - clock_->now();
    result.state = left > Nanoseconds{0} ? BreakerState::open : BreakerState::half_open;
    result.retry_in = std::max(left, Nanoseconds{0});
  }
  return result;
}

}  // namespace enprof
