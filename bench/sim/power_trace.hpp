// True power as a function of time.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <vector>

namespace enprof::sim {

/// Piecewise constant power, and its integral. Threads: const once it is written.
class PowerTrace {
 public:
  explicit PowerTrace(Instant begin) : knots_{{begin, 0.0, 0.0}} {}

  /// What follows uses this power for so long.
  void append(Nanoseconds length, Watts power);

  [[nodiscard]] Instant begin() const { return knots_.front().at; }
  [[nodiscard]] Instant end() const { return knots_.back().at; }
  /// Energy used until then since begin(); instants beyond the ends are taken as the ends.
  [[nodiscard]] Joules until(Instant at) const;
  [[nodiscard]] Joules energy(Instant from, Instant to) const { return until(to) - until(from); }
  [[nodiscard]] Watts power(Instant at) const;

 private:
  struct Knot {
    Instant at;
    double energy_before;  // J
    double power;          // W, from here on
  };
  [[nodiscard]] std::size_t knot_before(Instant at) const;

  std::vector<Knot> knots_;
};

}  // namespace enprof::sim
