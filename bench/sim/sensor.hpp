// Sensors as they are: what a reader of each would see of a power trace.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/energy_window.hpp"

#include "bench/sim/power_trace.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace enprof::sim {

/// A reading as other tools take it: a power, at the time it was read.
struct PowerPoint {
  Instant at;
  Watts power;
};

/// What a reader has seen.
struct SensorView {
  std::vector<EnergyWindow> windows;  ///< as enprof's sources make them
  Nanoseconds stamp_error{0};         ///< as Domain::stamp_error
  std::vector<PowerPoint> points;     ///< the same readings, as powers
};

/// An energy counter that steps by itself, such as RAPL's.
struct CounterModel {
  Nanoseconds step{976'562};        ///< 2⁻¹⁰ s
  Nanoseconds step_jitter{10'000};  ///< standard deviation of one step's time around the grid
  double quantum_j = 0x1p-14;       ///< 61 µJ; other machines 0x1p-16, 15.3 µJ
  double range_j = 262'144.0;       ///< it starts again at 0 there: 2³² quanta
};

/// Read every `interval` whatever the counter does: each reading shows the energy of the last step,
/// up to a step ago.
struct FreeReads {
  Nanoseconds interval = std::chrono::milliseconds{1};
  Nanoseconds lateness{50'000};  ///< mean, of waking up
  bool centred = false;  ///< stamped half a step before the read: as old as it is on average
};

/// Read at a step, every `every` steps, by polling until the value changes.
struct LockedReads {
  int every = 1;
  Nanoseconds poll{
      1'600};            ///< between two looks: the step was somewhere between, and is put halfway
  double missed = 0.01;  ///< chance of waking up too late: that step is not read
};

[[nodiscard]] SensorView read_counter(const PowerTrace& trace, const CounterModel& counter,
                                      const FreeReads& reads, std::uint64_t seed);
[[nodiscard]] SensorView read_counter(const PowerTrace& trace, const CounterModel& counter,
                                      const LockedReads& reads, std::uint64_t seed);

/// Mean power over windows that follow each other, such as powermetrics gives: written a little
/// after the window's end, in whole milliwatts.
struct MeanModel {
  Nanoseconds window = std::chrono::milliseconds{100};
  Nanoseconds window_jitter{500'000};  ///< standard deviation of its length
  Nanoseconds lateness{300'000};       ///< mean, of the window's end being told
};
[[nodiscard]] SensorView read_means(const PowerTrace& trace, const MeanModel& model,
                                    std::uint64_t seed);

/// Mean power over part of each period, such as NVML's on A100 and H100: 25 ms of every 100 ms
/// (arXiv 2312.02741). It stands for the whole period: nothing is known of the rest.
struct PartTimeModel {
  Nanoseconds period = std::chrono::milliseconds{100};
  Nanoseconds window = std::chrono::milliseconds{25};
};
[[nodiscard]] SensorView read_part_time(const PowerTrace& trace, const PartTimeModel& model,
                                        std::uint64_t seed);

/// Power at an instant, ten times a second. A window's energy is its two ends' mean × its length.
struct InstantModel {
  Nanoseconds interval = std::chrono::milliseconds{100};
  Nanoseconds lateness{50'000};
};
[[nodiscard]] SensorView read_instants(const PowerTrace& trace, const InstantModel& model,
                                       std::uint64_t seed);

}  // namespace enprof::sim
