// How much of an output token is attention and the KV cache.
#pragma once

#include "experiment/analysis/analysis.hpp"

namespace enprof {

/// By components, and by the slope over the context.
[[nodiscard]] Analysis analyze_context(const ExperimentData& data);

}  // namespace enprof
