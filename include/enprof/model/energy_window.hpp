// What a sensor said.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <cstdint>

namespace enprof {

/// Energy that a domain used between two instants. How it was spread within the window is not
/// known; that nothing was measured is said by there being no window, never by zero joules.
struct EnergyWindow {
  std::uint16_t domain = 0;  ///< index into the list of domains that goes with the windows
  /// Standard deviation of `end`, where it is not that of the domain's windows (0): a reading that
  /// missed the counter's step, among others that met it.
  std::uint32_t stamp_error_ns = 0;
  Instant begin;
  Instant end;
  Joules energy;

  [[nodiscard]] Nanoseconds duration() const { return end - begin; }
  friend bool operator==(const EnergyWindow&, const EnergyWindow&) = default;
};

}  // namespace enprof
