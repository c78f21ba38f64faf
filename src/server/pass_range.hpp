// Which passes of a run a query is about.
#pragma once

#include "enprof/model/names.hpp"
#include "enprof/model/operation.hpp"

#include <cstdint>
#include <limits>
#include <optional>

namespace enprof {

/// Those that worked for the output tokens first to last, in one phase or in all. The prompt's own
/// passes are token −1.
struct PassRange {
  std::optional<Phase> phase{};
  std::int32_t first = -1;
  std::int32_t last = std::numeric_limits<std::int32_t>::max();

  [[nodiscard]] bool has(Phase its_phase, std::int32_t token) const {
    return token >= first && token <= last && (!phase || its_phase == *phase);
  }
};

}  // namespace enprof
