// What a run adds up to, each token and joule alike.
#pragma once

#include "enprof/model/profiled_run.hpp"

namespace enprof {

/// Below this coverage nobody knows what all of a run or phase took, and there are no ratios of it.
inline constexpr double kEnoughCoverage = 0.9;

/// Fills in the run's totals, but for `figure` and `process_dynamic`, from its figure, phases and
/// tokens, and from the prompt's tokens and economics that the caller has set. For the formulas see
/// Totals.
void work_out_totals(ProfiledRun& run);

}  // namespace enprof
