// Converts readings of power into energy windows.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/energy_window.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace enprof {

/// Converts the readings of one power sensor into windows.
///
/// A sensor updates its value from time to time; reading it more often gives the same value again.
/// So windows go from one change to the next, not from one reading to the next.
///
/// - Instantaneous: power is assumed to change linearly from one value to the next (trapezoid). If
///   a value stays for longer than the sensor's usual time between updates, the sensor measured it
///   again: power then had this value until one update before the change. The time between updates
///   is learned: it is the shortest time between two changes. A value that never changes makes a
///   window every `longest_hold`.
/// - Averaging, a running mean over `averaging`: mean × time, in windows of that length, each with
///   the value at its end. Such a sensor cannot show anything shorter.
///
/// After a failed reading the next one covers its time; after more than kForgiven failures in a row
/// the time between is a gap.
///
/// known of the time between: that is a gap.
///
/// Threads: one at a time.
class PowerIntegrator {
 public:
  struct Sensor {
    Nanoseconds averaging{0};  ///< 0: instantaneous
    /// A value that has not changed for this long is taken as measured again. Twice the time
    /// between the sensor's updates is long enough.
    Nanoseconds longest_hold{0};
    /// Of an instantaneous sensor: EnergyWindow::unseen_permille of its windows. NVIDIA's sees
    /// 25 ms of each 100 ms on some GPUs (arXiv:2312.02741).
    std::uint16_t unseen_permille = 1000;
  };

  explicit PowerIntegrator(Sensor sensor) : sensor_(sensor) {}

  /// Takes a reading and appends the windows that it ends, at most two. Instants must ascend.
  void read(Watts power, Instant at, std::uint16_t domain, std::vector<EnergyWindow>& windows);
  /// Call this when a reading failed.
  void miss() { ++missed_; }
  /// Makes the next reading the first one.
  void forget();

  /// This many readings in a row may fail before their time is a gap.
  static constexpr int kForgiven = 2;

 private:
  void read_instant(Watts power, Instant at, std::uint16_t domain,
                    std::vector<EnergyWindow>& windows);
  void read_mean(Watts power, Instant at, std::uint16_t domain, std::vector<EnergyWindow>& windows);

  Sensor sensor_;
  std::optional<Watts> power_;  // the last reading; empty before the first
  Instant end_;                 // of the last window; later time is still open
  Instant read_;                // time of the last reading
  Instant changed_;             // when the value was last seen to change
  std::optional<Nanoseconds> renewal_;
  bool seen_change_ = false;  // since the first reading: earlier changes are unknown
  int missed_ = 0;
};

}  // namespace enprof
