// What mixtures of experts draw for what they use.
#pragma once

#include "experiment/analysis/analysis.hpp"

namespace enprof {

/// Energy per active parameter, beside dense models of the same quantization and settings.
[[nodiscard]] Analysis analyze_mixtures(const ExperimentData& data);

}  // namespace enprof
