// The totals of a run, and its ratios: energy per token, tokens per joule, EDP.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "base/standstill_watch.hpp"
#include "model/whole_energy.hpp"

#include <vector>

namespace enprof {

/// Fills in the run's totals, except `figure` and `process_dynamic`. Uses the run's figure, phases
/// and tokens, and the number of prompt tokens and the economics that the caller has set; Totals
/// has the formulas. `begin` is when the run began. The run used no energy in standstills.
void compute_totals(ProfiledRun& run, const std::vector<Standstill>& standstills = {},
                    Instant begin = {});

/// Share of the time in which the program ran that windows cover: 0–1.
[[nodiscard]] double coverage_while_running(const Figure& figure, Nanoseconds stood_still);

}  // namespace enprof
