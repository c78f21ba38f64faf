// Readings of sensors other than energy: utilization, clocks, temperature.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/export.hpp"

#include <cstdint>
#include <string_view>

namespace enprof {

/// What a reading measures. The unit is in the name; a ratio is 0–1.
enum class SensorQuantity : std::uint8_t {
  utilization_ratio,         ///< share of time in which the device worked
  memory_utilization_ratio,  ///< share of time in which memory was read or written
  clock_hz,
  memory_clock_hz,
  temperature_celsius,
  throttle_reasons,  ///< bit mask, as nvmlDeviceGetCurrentClocksThrottleReasons gives it
  thermal_pressure,  ///< 0 nominal, 1 moderate, 2 heavy, 3 trapping, 4 sleeping (powermetrics)
};
[[nodiscard]] ENPROF_API std::string_view to_string(SensorQuantity quantity) noexcept;

/// One reading of one domain's device.
struct SensorReading {
  std::uint16_t domain = 0;  ///< index into the list of domains that goes with the readings
  SensorQuantity quantity = SensorQuantity::utilization_ratio;
  Instant at;
  double value = 0.0;

  friend bool operator==(const SensorReading&, const SensorReading&) = default;
};

}  // namespace enprof
