// Speed against energy: which points are not beaten in both.
#pragma once

#include "experiment/analysis/analysis.hpp"

namespace enprof {

/// By pareto_front(). Needs two points with an energy.
[[nodiscard]] Analysis analyze_pareto(const ExperimentData& data);

}  // namespace enprof
