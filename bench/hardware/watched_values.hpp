// The counters and powers of this machine, to be read directly.
#pragma once

#include "enprof/power/power_monitor.hpp"

#include "power/nvml/nvml_library.hpp"
#include "step_meter.hpp"

#include <memory>
#include <string>
#include <vector>

namespace enprof::hardware {

struct WatchedValues {
  std::unique_ptr<NvmlLibrary> nvml;  ///< what values of GPUs are read with
  std::vector<WatchedValue> values;
  std::vector<std::string> notes;  ///< what is not there or may not be read, and why
};

/// RAPL's counters of the powercap tree, and of each GPU the energy counter and the powers.
[[nodiscard]] WatchedValues find_values(const PowerEnvironment& environment);

}  // namespace enprof::hardware
