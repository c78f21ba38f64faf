#include "enprof/model/sensor_reading.hpp"

namespace enprof {

std::string_view to_string(SensorQuantity quantity) noexcept {
  switch (quantity) {
    case SensorQuantity::utilization_ratio:
      return "utilization_ratio";
    case SensorQuantity::memory_utilization_ratio:
      return "memory_utilization_ratio";
    case SensorQuantity::clock_hz:
      return "clock_hz";
    case SensorQuantity::memory_clock_hz:
      return "memory_clock_hz";
    case SensorQuantity::temperature_celsius:
      return "temperature_celsius";
    case SensorQuantity::throttle_reasons:
      return "throttle_reasons";
    case SensorQuantity::thermal_pressure:
      return "thermal_pressure";
  }
  return "unknown";
}

}  // namespace enprof
