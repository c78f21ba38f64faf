// How the energy of a point went over several experiments.
#pragma once

#include "experiment/analysis/analysis.hpp"
#include "experiment/analysis/stored_experiment.hpp"

#include <string_view>

namespace enprof {

inline constexpr std::string_view kTrendAnalysis = "trend";

/// Compares each experiment with the one before it, point by point. Of the analyses it is the only
/// one that looks beyond its experiment, so analyze() does not have it.
[[nodiscard]] Analysis analyze_trend(const ExperimentTrend& trend);

}  // namespace enprof
