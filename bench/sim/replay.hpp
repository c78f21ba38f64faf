// A simulated calibration: the classes of a program run alone, one after the other.
#pragma once

#include "attribution/replay_powers.hpp"
#include "bench/sim/power_trace.hpp"
#include "bench/sim/program.hpp"

#include <cstdint>
#include <vector>

namespace enprof::sim {

/// How a class that runs alone differs from the same class in a pass. The method does not know it.
struct ReplayDifference {
  /// A class finds up to this share of its traffic in a cache, or misses as much more; it is drawn
  /// by class, uniformly.
  double cached = 0.10;
  /// Relative standard deviation of a class's power above idle, drawn by class: what ran before it
  /// in the pass (alignment with its neighbours), and everything that has no name.
  double power = 0.02;
};

struct ReplayOptions {
  ReplayDifference difference;
  Nanoseconds budget = std::chrono::seconds{45};
  Nanoseconds window = std::chrono::milliseconds{100};  ///< of the sensor
  Nanoseconds warm_up = std::chrono::seconds{3};
  std::uint64_t seed = 1;
};

struct Replay {
  PowerTrace trace{Instant{}};
  std::vector<ReplaySlice> slices;  ///< by class of the program
};

/// Runs each class of operations of a program that was simulated with these options, on the same
/// machine, at another time: drift is not that of the run. There is no second process, since enprof
/// refuses to calibrate on a busy machine.
[[nodiscard]] Replay replay(const Program& program, const ProgramOptions& run,
                            const ReplayOptions& options);

}  // namespace enprof::sim
