// A GPU's energy counter against its integrated power.
#pragma once

#include "enprof/base/error.hpp"

#include "square_load.hpp"
#include "watched_values.hpp"

#include <optional>
#include <string>
#include <vector>

namespace enprof::hardware {

/// What one way of reading says of the same time.
struct MeasuredEnergy {
  std::string name;  ///< of the value: "gpu-0 energy"
  Joules energy;
  std::size_t readings = 0;
};

/// Reads all of these values every 5 ms for this long, while the load, if there is one, is on and
/// off in turns of a second. Powers are integrated; of a counter it is the difference, from its
/// first step to its last.
[[nodiscard]] Result<std::vector<MeasuredEnergy>> compare_energies(
    const std::vector<WatchedValue>& values, SquareLoad* load, Nanoseconds duration);

}  // namespace enprof::hardware
