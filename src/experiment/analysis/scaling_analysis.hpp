// How energy per token grows with parameters, context, batch and sequences.
#pragma once

#include "experiment/analysis/analysis.hpp"

namespace enprof {

/// By fit_scaling(), for each group of points that differ along one axis alone.
[[nodiscard]] Analysis analyze_scaling(const ExperimentData& data);

}  // namespace enprof
