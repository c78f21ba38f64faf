// A measurement of a sensor: the energy of a domain between two instants.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <cstdint>
#include <vector>

namespace enprof {

/// Energy that a domain used between two instants. How the energy is distributed within the window
/// is not known. Time that was not measured has no window; it is never a window of zero joules.
struct EnergyWindow {
  std::uint16_t domain = 0;  ///< index into the list of domains that goes with the windows
  /// Share of its time, in ‰, in which the sensor did not measure: the energy is that of the rest,
  /// taken for the whole. 1000: only the power at its two ends was measured.
  std::uint16_t unseen_permille = 0;
  /// Standard deviation of `end`, if it differs from that of the domain's windows (else 0): for
  /// example, this reading missed the counter's step, while others did not.
  std::uint32_t stamp_error_ns = 0;
  Instant begin;
  Instant end;
  Joules energy;

  [[nodiscard]] Nanoseconds duration() const { return end - begin; }
  friend bool operator==(const EnergyWindow&, const EnergyWindow&) = default;
};

/// Windows in lists, one for each domain of a list of domains and in its order; each list by begin.
using WindowsByDomain = std::vector<std::vector<EnergyWindow>>;

}  // namespace enprof
