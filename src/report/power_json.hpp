// The power of a run as JSON.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/json_figures.hpp"

namespace enprof {

/// sources[], interval_ms, domains[], baseline{}, peak{}: all but samples[] and readings[].
[[nodiscard]] Json power_json(const PowerFigures& power);
/// `power` names the domain.
[[nodiscard]] Json power_sample_json(const PowerFigures& power, const PowerSample& sample);
[[nodiscard]] Json power_reading_json(const PowerFigures& power, const PowerReading& reading);

}  // namespace enprof
