// What a run adds up to, each token and joule alike.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "base/standstill_watch.hpp"

#include <vector>

namespace enprof {

/// Below this coverage nobody knows what all of a run or phase took, and there are no ratios of it.
inline constexpr double kEnoughCoverage = 0.9;

/// Fills in the run's totals, but for `figure` and `process_dynamic`, from its figure, phases and
/// tokens, and from the prompt's tokens and economics that the caller has set. For the formulas see
/// Totals. Time in which the program stood still, of a run that began at `begin`, took no energy of
/// the run.
void work_out_totals(ProfiledRun& run, const std::vector<Standstill>& standstills = {},
                     Instant begin = {});

/// Of the time in which the program ran, how much was covered: 0–1.
[[nodiscard]] double coverage_while_running(const Figure& figure, Nanoseconds stood_still);

}  // namespace enprof
