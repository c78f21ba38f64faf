// Models of real sensors: what a reader of each would get from a power trace.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/energy_window.hpp"

#include "bench/sim/power_trace.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace enprof::sim {

/// A reading as other tools use it: a power, at the time it was read.
struct PowerPoint {
  Instant at;
  Watts power;
};

/// What a reader gets.
struct SensorView {
  std::vector<EnergyWindow> windows;  ///< as from enprof's sources
  Nanoseconds stamp_error{0};         ///< as Domain::stamp_error
  std::vector<PowerPoint> points;     ///< the same readings, as powers
};

/// An energy counter that steps by itself, such as RAPL's.
struct CounterModel {
  Nanoseconds step{976'562};        ///< 2⁻¹⁰ s
  Nanoseconds step_jitter{10'000};  ///< standard deviation of one step's time around the grid
  double quantum_j = 0x1p-14;       ///< 61 µJ; other machines 0x1p-16, 15.3 µJ
  double range_j = 262'144.0;       ///< it wraps to 0 there: 2³² quanta
};

/// Read every `interval`, without regard to the steps: each reading shows the energy of the last
/// step, which may be up to one step ago. It is stamped half a step before it was read.
struct FreeReads {
  Nanoseconds interval = std::chrono::milliseconds{1};
  Nanoseconds lateness{50'000};  ///< mean delay of waking up
};

/// Read at a step, every `every` steps, by polling until the value changes.
struct LockedReads {
  int every = 1;
  Nanoseconds poll{1'600};  ///< between two polls: the step is stamped in the middle
  double missed = 0.01;     ///< chance of waking up too late, so that the step is not read
};

[[nodiscard]] SensorView read_counter(const PowerTrace& trace, const CounterModel& counter,
                                      const FreeReads& reads, std::uint64_t seed);
[[nodiscard]] SensorView read_counter(const PowerTrace& trace, const CounterModel& counter,
                                      const LockedReads& reads, std::uint64_t seed);

/// Mean power over consecutive windows, as powermetrics gives it: written a little after the end of
/// the window, in whole milliwatts.
struct MeanModel {
  Nanoseconds window = std::chrono::milliseconds{100};
  Nanoseconds window_jitter{500'000};  ///< standard deviation of its length
  Nanoseconds lateness{300'000};       ///< mean delay of its output
};
[[nodiscard]] SensorView read_means(const PowerTrace& trace, const MeanModel& model,
                                    std::uint64_t seed);

/// Mean power over a part of each period, as NVML gives it on A100 and H100: 25 ms of every 100 ms
/// (arXiv 2312.02741). It is used for the whole period, because nothing is known about the rest.
struct PartTimeModel {
  Nanoseconds period = std::chrono::milliseconds{100};
  Nanoseconds window = std::chrono::milliseconds{25};
};
[[nodiscard]] SensorView read_part_time(const PowerTrace& trace, const PartTimeModel& model,
                                        std::uint64_t seed);

/// Power at an instant, ten times a second. A window's energy is the mean of its ends × length.
struct InstantModel {
  Nanoseconds interval = std::chrono::milliseconds{100};
  Nanoseconds lateness{50'000};
};
[[nodiscard]] SensorView read_instants(const PowerTrace& trace, const InstantModel& model,
                                       std::uint64_t seed);

}  // namespace enprof::sim
