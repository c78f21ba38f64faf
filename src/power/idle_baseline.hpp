// Idle power from the windows of an idle time.
#pragma once

#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/power/power_monitor.hpp"

#include <span>
#include <vector>

namespace enprof {

/// Mean power of each domain over [begin, end], and how much it varies from window to window, both
/// weighted by the windows' lengths; a window that reaches over the edges counts with what lies
/// within. Of n windows with mean powers p and weights w:
///   mean = Σ w p / Σ w        spread² = n / (n − 1) × Σ w (p − mean)² / Σ w
/// The total adds up the roots' means. Its spread is that of their sum over the windows of the root
/// that has the fewest: what several sensors say of the same moments varies together.
/// Windows are by begin, and those of one domain do not overlap.
[[nodiscard]] IdleBaseline compute_idle_baseline(const std::vector<Domain>& domains,
                                                 std::span<const EnergyWindow> windows,
                                                 Instant begin, Instant end);

}  // namespace enprof
