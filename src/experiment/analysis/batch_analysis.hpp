// What one more sequence, or one more token of a prompt, adds to a pass.
#pragma once

#include "experiment/analysis/analysis.hpp"

namespace enprof {

/// The fixed and the marginal energy of a pass, by a line through three points or more.
[[nodiscard]] Analysis analyze_batch(const ExperimentData& data);

}  // namespace enprof
