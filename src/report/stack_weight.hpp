// What the widths of a flame graph mean.
#pragma once

#include <cstdint>

namespace enprof {

enum class StackWeight : std::uint8_t {
  energy,  ///< whole microjoules
  time,    ///< whole microseconds
};

}  // namespace enprof
