// The highest power of a run.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/profiled_run.hpp"

#include "profile/assemble/domain_timelines.hpp"

#include <optional>

namespace enprof {

/// The highest mean power of the roots over 10 ms, or over the longest window that a root usually
/// has, between a run's begin and its end; never below the mean power of the run or of a phase.
/// Uses the run's domains, total and phases. Empty if no such interval is covered.
[[nodiscard]] std::optional<PeakPower> find_peak(const DomainTimelines& timelines, Instant begin,
                                                 Instant end, const ProfiledRun& run);

}  // namespace enprof
