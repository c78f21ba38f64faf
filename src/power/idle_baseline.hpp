// Computes idle power from the windows of a time in which the machine was idle.
#pragma once

#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/power/power_monitor.hpp"

#include <vector>

namespace enprof {

/// The mean power of each domain over [begin, end], and its spread from window to window. Both are
/// weighted by the windows' lengths; only the part of a window within [begin, end] counts. For n
/// windows with mean powers p and weights w:
///   mean = Σ w p / Σ w        spread² = n / (n − 1) × Σ w (p − mean)² / Σ w
/// The total is the sum of the roots' means, and empty if a root has no window. Its spread is that
/// of the roots' summed power over the windows of the root with the fewest windows, because the
/// power of several sensors at the same time is correlated.
/// `windows` has a list for each domain; windows of one domain must not overlap.
[[nodiscard]] IdleBaseline compute_idle_baseline(const std::vector<Domain>& domains,
                                                 const WindowsByDomain& windows, Instant begin,
                                                 Instant end);

/// Makes the total that of these domains' roots, where it is another one: their means added up, the
/// spread unknown; empty where one of them was not measured. A run may add up other domains than
/// those that were added up when the baseline was measured (PowerMonitor::trusted_domains).
void fit_to_roots(IdleBaseline& baseline, const std::vector<Domain>& domains);

}  // namespace enprof
