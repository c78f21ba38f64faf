#include "power/counter/power_integrator.hpp"

#include <algorithm>

namespace enprof {

void PowerIntegrator::read(Watts power, Instant at, std::uint16_t domain,
                           std::vector<EnergyWindow>& windows) {
  if (missed_ > kForgiven) {
    forget();
  }
  if (!power_) {
    missed_ = 0;
    power_ = power;
    end_ = at;
    changed_ = at;
    read_ = at;
    return;
  }
  if (sensor_.averaging > Nanoseconds{0}) {
    read_mean(power, at, domain, windows);
  } else {
    read_instant(power, at, domain, windows);
  }
  power_ = power;
  read_ = at;
  missed_ = 0;
}

void PowerIntegrator::forget() {
  power_.reset();
  renewal_.reset();
  seen_change_ = false;
  missed_ = 0;
}

void PowerIntegrator::read_instant(Watts power, Instant at, std::uint16_t domain,
                                   std::vector<EnergyWindow>& windows) {
  const auto emit = [&](Instant end, Watts mean) {
    if (end > end_) {
      windows.push_back({.domain = domain,
                         .unseen_permille = sensor_.unseen_permille,
                         .begin = end_,
                         .end = end,
                         .energy = mean * (end - end_)});
      end_ = end;
    }
  };
  if (power == *power_) {
    if (at - end_ >= sensor_.longest_hold) {
      emit(at, power);
    }
    return;
  }
  // If readings are missing, an update may be missing too.
  const bool watched = missed_ == 0;
  const Nanoseconds stayed = at - changed_;
  if (seen_change_ && watched) {
    renewal_ = std::min(renewal_.value_or(stayed), stayed);
  }
  if (renewal_ && watched) {
    emit(std::max(end_, at - *renewal_), *power_);
  }
  emit(at, (*power_ + power) / 2);
  changed_ = at;
  seen_change_ = true;
}

void PowerIntegrator::read_mean(Watts power, Instant at, std::uint16_t domain,
                                std::vector<EnergyWindow>& windows) {
  // The mean was updated just now, or it is still valid because it was updated to the same value.
  const Nanoseconds open = at - end_;
  const bool renewed = power != *power_;
  if (open < sensor_.averaging || (!renewed && open < sensor_.averaging + sensor_.longest_hold)) {
    return;
  }
  // It says nothing about the time before its window; a little delay is not a gap. A value that
  // stayed was the mean of every window since, if it was read in between.
  const Nanoseconds patience =
      sensor_.averaging + std::max(sensor_.averaging / 4, sensor_.longest_hold);
  const bool watched = at - read_ <= patience && (!renewed || open <= patience);
  const Instant begin = watched ? end_ : at - sensor_.averaging;
  windows.push_back({.domain = domain, .begin = begin, .end = at, .energy = power * (at - begin)});
  end_ = at;
  changed_ = at;
}

}  // namespace enprof
