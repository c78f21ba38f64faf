// Limits of a run's verdict that its warnings share. docs/quoting.md gives the reason for each.
#pragma once

namespace enprof {

/// A run whose sensors cover less of its time is not covered whole.
inline constexpr double kFullCoverage = 0.99;
/// Share of the busy CPU time. Where others use more, a run's energy is not its own.
inline constexpr double kMuchForeignLoad = 0.10;

}  // namespace enprof
