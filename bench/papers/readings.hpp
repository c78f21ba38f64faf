// What a reader of a sensor has in the end.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/energy_window.hpp"

#include <cmath>
#include <vector>

namespace enprof::papers {

struct Readings {
  std::vector<EnergyWindow> windows;
  Nanoseconds stamp_error{0};  ///< standard deviation of an edge, as the source would state it

  /// Takes these joules as used from the end of the last window until `end_s`. The first call only
  /// sets where the first window begins. Nothing is added if no time passed.
  void until(double end_s, double joules) {
    const Instant end = instant(end_s);
    if (has_begun_ && end > last_) {
      windows.push_back({.begin = last_, .end = end, .energy = Joules{joules}});
    }
    last_ = has_begun_ ? std::max(last_, end) : end;
    has_begun_ = true;
  }
  void set_stamp_error(double error_s) { stamp_error = Nanoseconds{std::llround(error_s * 1e9)}; }
  void set_unseen(double share) {
    for (EnergyWindow& window : windows) {
      window.unseen_permille = static_cast<std::uint16_t>(std::lround(share * 1000.0));
    }
  }
  [[nodiscard]] static Instant instant(double time_s) {
    return Instant{Nanoseconds{std::llround(time_s * 1e9)}};
  }

 private:
  bool has_begun_ = false;
  Instant last_;
};

/// The standard deviation of what lies anywhere in this length.
inline double anywhere_in(double length) { return length / std::sqrt(12.0); }

}  // namespace enprof::papers
