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

  /// Appends a time of this length with this power.
  void append(Nanoseconds length, Watts power);

  [[nodiscard]] Instant begin() const { return knots_.front().at; }
  [[nodiscard]] Instant end() const { return knots_.back().at; }
  /// Energy from begin() until `at`; instants outside of the trace count as its ends.
  [[nodiscard]] Joules until(Instant at) const;
  [[nodiscard]] Joules energy(Instant from, Instant to) const { return until(to) - until(from); }
  [[nodiscard]] Watts power(Instant at) const;
  /// Calls `visit` with the length and the power of each piece, in order of time.
  template <class Visit>
  void for_each_piece(Visit visit) const {
    for (std::size_t index = 0; index + 1 < knots_.size(); ++index) {
      visit(knots_[index + 1].at - knots_[index].at, Watts{knots_[index].power});
    }
  }

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
