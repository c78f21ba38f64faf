// The power of a run as JSON.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/json_figures.hpp"

namespace enprof {

/// sources[], interval_ms, domains[], baseline{}, peak{}, samples[], readings[].
[[nodiscard]] Json power_json(const PowerFigures& power);

}  // namespace enprof
