#include "power/sampler/rate_meter.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {

void RateMeter::start(Instant now, Nanoseconds period) {
  period_ = std::max(period, Nanoseconds{1});
  begin_ = now;
  count_ = 0;
  left_out_ = 0;
  last_.reset();
}

std::optional<RateMeter::Deviation> RateMeter::tick(Instant now, std::size_t left_out) {
  ++count_;
  left_out_ += left_out;
  if (now - begin_ < span()) {
    return std::nullopt;
  }
  last_ = rate(now);
  const double wanted_hz = asked_hz() - static_cast<double>(left_out_) / seconds(now - begin_);
  begin_ = now;
  count_ = 0;
  left_out_ = 0;
  if (std::abs(*last_ / wanted_hz - 1.0) <= kTolerance) {
    return std::nullopt;
  }
  return Deviation{.asked_hz = wanted_hz, .actual_hz = *last_};
}

double RateMeter::asked_hz() const { return 1.0 / seconds(period_); }

std::optional<double> RateMeter::actual_hz(Instant now) const {
  const Nanoseconds elapsed = now - begin_;
  if (elapsed > 2 * span() || (!last_ && elapsed >= period_)) {
    return rate(now);
  }
  return last_;
}

Nanoseconds RateMeter::span() const { return std::max(kSpan, 5 * period_); }

double RateMeter::rate(Instant now) const {
  return static_cast<double>(count_) / seconds(now - begin_);
}

}  // namespace enprof
