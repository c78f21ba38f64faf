// The components of models side by side.
#pragma once

#include "experiment/analysis/analysis.hpp"

namespace enprof {

/// Needs components: runs at depth module or deep.
[[nodiscard]] Analysis analyze_architecture(const ExperimentData& data);

}  // namespace enprof
