// Does each half of a square wave get its energy?
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/power/power_monitor.hpp"

#include "square_load.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace enprof::hardware {

/// The energy that attribution gave one half.
struct HalfEnergy {
  bool on = false;
  Nanoseconds begin{0};  ///< since the wave began
  Nanoseconds duration{0};
  std::optional<Joules> energy;
  std::optional<Joules> standard_error;
};

/// One frequency.
struct WaveFigures {
  double hertz = 0.0;
  std::vector<HalfEnergy> halves;
  std::optional<Watts> on;  ///< mean power that attribution gave the halves
  std::optional<Watts> off;
  /// From windows well within a half; empty where there are none.
  std::optional<Watts> on_windows;
  std::optional<Watts> off_windows;
  double coverage = 0.0;
  std::optional<double> conservation;  ///< |sum of the halves − whole| / whole
  std::optional<Nanoseconds> window;   ///< median length of the windows
  std::size_t windows = 0;
  Nanoseconds worst_edge{0};
  std::vector<std::optional<double>> folded_watts;  ///< the windows' mean power along one cycle
  std::vector<Warning> warnings;
};

/// Runs the load at this frequency, at least for `duration` and for three cycles, and attributes
/// the energy of the monitor's roots to its halves, as a run does to its tokens. The monitor runs.
[[nodiscard]] Result<WaveFigures> check_wave(PowerMonitor& monitor, SquareLoad& load, double hertz,
                                             Nanoseconds duration);

}  // namespace enprof::hardware
