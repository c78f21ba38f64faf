// Makes energy windows of power readings.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/energy_window.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace enprof {

/// Turns the readings of one power sensor into windows.
///
/// A sensor has a value of its own making, which it renews from time to time; reading it more often
/// gives the same value again. So windows go from one change to the next, not from one reading to
/// the next.
///
/// - Instantaneous: power is taken to go straight from one value to the next (trapezoid). A value
///   that stays for longer than the sensor's usual renewal was found unchanged by it: power was
///   that until one renewal before the change. How often it renews is learned: the shortest time
///   between two changes. A value that does not change at all makes a window every `longest_hold`.
/// - Averaging, a running mean over `averaging`: mean × time, in windows of that length, each with
///   the value at its end. What is shorter than that, such a sensor cannot tell.
///
/// A reading that failed is bridged by the next; after more than kForgiven in a row nothing is
/// known of the time between: that is a gap.
///
/// Threads: one at a time.
class PowerIntegrator {
 public:
  struct Sensor {
    Nanoseconds averaging{0};  ///< 0: instantaneous
    /// Without a change for so long, a value is taken for a true one: twice the time in which the
    /// sensor renews it is sure to be enough.
    Nanoseconds longest_hold{0};
  };

  explicit PowerIntegrator(Sensor sensor) : sensor_(sensor) {}

  /// Takes a reading; appends the windows that it ends, at most two. Instants must ascend.
  void read(Watts power, Instant at, std::uint16_t domain, std::vector<EnergyWindow>& windows);
  /// A reading failed.
  void miss() { ++missed_; }
  /// Makes the next reading the first one.
  void forget();

  /// So many readings in a row may fail before their time is a gap.
  static constexpr int kForgiven = 2;

 private:
  void read_instant(Watts power, Instant at, std::uint16_t domain,
                    std::vector<EnergyWindow>& windows);
  void read_mean(Watts power, Instant at, std::uint16_t domain, std::vector<EnergyWindow>& windows);

  Sensor sensor_;
  std::optional<Watts> power_;  // the last reading; empty before the first
  Instant end_;                 // of the last window; what is later is still open
  Instant read_;                // the last reading
  Instant changed_;             // when the value was last seen to change
  std::optional<Nanoseconds> renewal_;
  bool seen_change_ = false;  // since the first reading: the time before says nothing of renewals
  int missed_ = 0;
};

}  // namespace enprof
