// What fewer bits save, and what they do to the answers.
#pragma once

#include "experiment/analysis/analysis.hpp"

namespace enprof {

/// Changes against the most bits of each shape, by compare_sets().
[[nodiscard]] Analysis analyze_quantization(const ExperimentData& data);

}  // namespace enprof
