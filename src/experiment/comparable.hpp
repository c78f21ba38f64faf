// Whether runs can be compared, by their verdicts. The dashboard has the same rules
// (web/src/parts/comparable.ts); a test holds the two together.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// Reasons of a verdict that say nothing against times and speeds.
[[nodiscard]] std::span<const std::string_view> reasons_about_energy();

/// Why no ratio of a figure of this run means anything; null if one may be computed. `of_power`:
/// the figure depends on a sensor or an estimate.
[[nodiscard]] const VerdictReason* refusal(bool of_power, const ProfiledRun& run);

/// What disturbed the run and may be gone when it is done again: other load, heat, a suspended
/// machine. Null if nothing did.
[[nodiscard]] const VerdictReason* disturbance(const ProfiledRun& run);
[[nodiscard]] inline bool is_worth_repeating(const ProfiledRun& run) {
  return disturbance(run) != nullptr;
}
/// "was disturbed: …" or "is unlike the others": why bench does this run again.
[[nodiscard]] std::string why_repeated(const ProfiledRun& run);

}  // namespace enprof
