#include "power/counter/step_grid.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace enprof {
namespace {

/// The jitter before the first step; also its minimum, because no clock is better.
constexpr double kFirstJitter = 15e3;  // ns
constexpr double kLeastJitter = 1e3;
/// The weight of a new step in the jitter.
constexpr double kJitterGain = 0.05;
/// How far the grid may drift in one period: variances, in ns².
constexpr double kPhaseWander = 500.0 * 500.0;
constexpr double kPeriodWander = 2.0 * 2.0;
/// A step further off than this many standard deviations is an outlier and is ignored.
constexpr double kOutlier = 4;
constexpr unsigned kMostOutliers = 4;
/// Steps can be counted while the error is less than this share of the period.
constexpr double kCountable = 0.25;
constexpr double kMissGrowth = 2;
constexpr double kPeriodMissed = 50.0 * 50.0;  // ns²

/// A bracket whose nearer end is further off than this many standard deviations is a surprise.
constexpr double kFarOff = 3;

double square(double value) { return value * value; }

/// Of the standard normal distribution: its density, and its share below a value.
double normal_density(double value) {
  return std::exp(-square(value) / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}
double normal_share(double value) { return std::erfc(-value / std::numbers::sqrt2) / 2; }

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
  return step(std::max(1.0, std::ceil(to_ns(after - phase_) / period_)));
}

StepGrid::Expected StepGrid::last(Instant before) const {
  return step(std::floor(to_ns(before - phase_) / period_));
}

StepGrid::Expected StepGrid::step(double periods) const {
  // What is known of steps before the last one is not kept: they are as exact as those after it.
  return {.at = phase_ + from_ns(periods * period_),
          .periods = static_cast<std::int64_t>(periods),
          .error = from_ns(std::sqrt(spread_after(std::abs(periods)).phase + jitter_))};
}

void StepGrid::set_phase(Instant at, double noise) {
  phase_ = at;
  spread_.phase = noise;
  spread_.both = 0;
  has_phase_ = true;
  outliers_ = 0;
}

void StepGrid::add_step(Instant at, Nanoseconds width) {
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
      spread_.period = std::max(spread.period, square(off / periods));  // it may have changed
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

void StepGrid::add_bracket(Instant from, Instant to) {
  const Nanoseconds width = to - from;
  const Instant middle = from + width / 2;
  if (!has_phase_) {
    add_step(middle, width);
    return;
  }
  const double periods = std::round(to_ns(middle - phase_) / period_);
  if (periods < 1) {
    return;  // it is known already
  }
  const Spread spread = spread_after(periods);
  const double sigma = std::sqrt(spread.phase + jitter_);
  const Instant predicted = phase_ + from_ns(periods * period_);
  const double low = to_ns(from - predicted) / sigma;
  const double high = to_ns(to - predicted) / sigma;
  if (low > kFarOff || high < -kFarOff || spread.phase > square(kCountable * period_)) {
    add_step(middle, width);
    return;
  }
  const double inside = normal_share(high) - normal_share(low);
  const double mean = (normal_density(low) - normal_density(high)) / inside;
  const double variance =
      1 + (low * normal_density(low) - high * normal_density(high)) / inside - mean * mean;
  phase_ = predicted + from_ns(spread.phase / sigma * mean);
  period_ += spread.both / sigma * mean;
  const double known = std::clamp(1 - variance, 0.0, 1.0) / square(sigma);
  spread_ = {.phase = spread.phase - spread.phase * spread.phase * known,
             .both = spread.both - spread.phase * spread.both * known,
             .period = std::max(0.0, spread.period - spread.both * spread.both * known)};
  outliers_ = 0;
}

void StepGrid::add_miss() {
  spread_.phase = spread_.phase * kMissGrowth + jitter_;
  spread_.period = spread_.period * kMissGrowth + kPeriodMissed;
}

Nanoseconds StepGrid::offset_of(const StepGrid& other) const {
  const double apart = to_ns(other.phase_ - phase_);
  return from_ns(apart - std::round(apart / period_) * period_);
}

}  // namespace enprof
