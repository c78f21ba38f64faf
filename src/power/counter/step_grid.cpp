#include "power/counter/step_grid.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

/// Before anything was seen; and never less, as no clock is better.
constexpr double kFirstJitter = 15e3;  // ns
constexpr double kLeastJitter = 1e3;
/// A new step counts so much in the jitter.
constexpr double kJitterGain = 0.05;
/// How far the grid may wander in one period: variances, in ns².
constexpr double kPhaseWander = 500.0 * 500.0;
constexpr double kPeriodWander = 2.0 * 2.0;
/// A step further off than this many standard deviations says nothing of the grid.
constexpr double kOutlier = 4;
constexpr unsigned kMostOutliers = 4;
/// Steps can be counted while the error is less than this share of the period.
constexpr double kCountable = 0.25;
constexpr double kMissGrowth = 2;
constexpr double kPeriodMissed = 50.0 * 50.0;  // ns²

double square(double value) { return value * value; }

}  // namespace

StepGrid::StepGrid(Nanoseconds period, Nanoseconds error)
    : period_(to_ns(period)),
      spread_{.phase = 0, .both = 0, .period = square(to_ns(error))},
      jitter_(square(std::min(kFirstJitter, period_ / 50))) {}

Nanoseconds StepGrid::period() const { return from_ns(period_); }
Nanoseconds StepGrid::jitter() const { return from_ns(std::sqrt(jitter_)); }

void StepGrid::forget_phase() {
  has_phase_ = false;
  outliers_ = 0;
}

StepGrid::Spread StepGrid::spread_after(double periods) const {
  return {.phase = spread_.phase + 2 * periods * spread_.both + periods * periods * spread_.period +
                   periods * kPhaseWander,
          .both = spread_.both + periods * spread_.period,
          .period = spread_.period + periods * kPeriodWander};
}

StepGrid::Expected StepGrid::next(Instant after) const {
  const double periods = std::max(1.0, std::ceil(to_ns(after - phase_) / period_));
  return {.at = phase_ + from_ns(periods * period_),
          .periods = static_cast<std::int64_t>(periods),
          .error = from_ns(std::sqrt(spread_after(periods).phase + jitter_))};
}

void StepGrid::set_phase(Instant at, double noise) {
  phase_ = at;
  spread_.phase = noise;
  spread_.both = 0;
  has_phase_ = true;
  outliers_ = 0;
}

void StepGrid::see(Instant at, Nanoseconds width) {
  const double width_variance = square(to_ns(width)) / 12;
  const double noise = width_variance + jitter_;
  const double periods = has_phase_ ? std::round(to_ns(at - phase_) / period_) : 0;
  if (periods < 1) {
    set_phase(at, noise);
    return;
  }
  Spread spread = spread_after(periods);
  if (spread.phase + noise > square(kCountable * period_)) {
    set_phase(at, noise);
    return;
  }
  const double off = to_ns(at - phase_) - periods * period_;
  const double variance = spread.phase + noise;
  if (off * off > square(kOutlier) * variance) {
    if (++outliers_ >= kMostOutliers) {
      spread_.period = std::max(spread.period, square(off / periods));  // that too may be another
      set_phase(at, noise);
    }
    return;
  }
  outliers_ = 0;
  const double phase_gain = spread.phase / variance;
  const double period_gain = spread.both / variance;
  phase_ += from_ns(periods * period_ + phase_gain * off);
  period_ += period_gain * off;
  spread_ = {.phase = (1 - phase_gain) * spread.phase,
             .both = (1 - phase_gain) * spread.both,
             .period = std::max(0.0, spread.period - period_gain * spread.both)};
  jitter_ += kJitterGain * (off * off - spread.phase - width_variance - jitter_);
  jitter_ = std::max(jitter_, square(kLeastJitter));
}

void StepGrid::miss() {
  spread_.phase = spread_.phase * kMissGrowth + jitter_;
  spread_.period = spread_.period * kMissGrowth + kPeriodMissed;
}

Nanoseconds StepGrid::offset_of(const StepGrid& other) const {
  const double apart = to_ns(other.phase_ - phase_);
  return from_ns(apart - std::round(apart / period_) * period_);
}

}  // namespace enprof
