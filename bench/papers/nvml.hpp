// NVIDIA's power sensors, after Yang, Adamek, Armour, "Part-time power measurements: nvidia-smi's
// lack of attention" (arXiv 2312.02741; SC24 as "Accurate and convenient energy measurements for
// GPUs"): the driver's value is renewed at a fixed period, at a phase that differs from boot to
// boot, and is the mean of power over a window at the end of that period. On A100 and H100 the
// window is 25 ms of every 100 ms, on V100 10 ms of every 20 ms, on many others all of it; on old
// GPUs the value follows power like a capacitor that charges.
//
// The energy counter (nvmlDeviceGetTotalEnergyConsumption, in mJ) is taken to add up these values.
#pragma once

#include "bench/papers/dice.hpp"
#include "bench/papers/power_course.hpp"
#include "bench/papers/readings.hpp"

namespace enprof::papers {

struct NvmlSensor {
  double period_s = 0.1;
  double window_s = 0.025;
};
inline constexpr NvmlSensor kA100{.period_s = 0.1, .window_s = 0.025};
inline constexpr NvmlSensor kV100{.period_s = 0.02, .window_s = 0.01};

/// Reads the energy counter in a loop around its steps.
struct NvmlCounterReader {
  double look_s = 2e-3;  ///< from one read of the loop to the next
  double publish_s =
      1e-3;  ///< chosen: mean delay from the end of a period until the counter shows it
};
[[nodiscard]] Readings read_nvml_counter(const PowerCourse& course, const NvmlSensor& sensor,
                                         const NvmlCounterReader& reader, Dice& dice);

/// Power of an old GPU, read whenever it was renewed; a window's power is the mean of its ends'.
/// The time constant is that of a K20 (Burtscher, Zecena, Zong, "Measuring GPU power with the K20
/// built-in sensor", GPGPU-7, 2014).
struct LaggingPower {
  double period_s = 0.015;
  double time_constant_s = 0.83;
};
[[nodiscard]] Readings read_lagging_power(const PowerCourse& course, const LaggingPower& sensor,
                                          Dice& dice);

}  // namespace enprof::papers
