#include "experiment/comparable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 5> kAboutEnergy{"estimate", "no_energy", "low_coverage",
                                                       "too_short", "baseline_above_run"};
constexpr std::array<std::string_view, 6> kPassing{"foreign_load", "cpu_throttled",
                                                   "cpu_quota",    "process_swapped",
                                                   "stood_still",  "machine_slept"};

bool is_one_of(std::span<const std::string_view> codes, const VerdictReason& reason) {
  return std::ranges::find(codes, reason.code) != codes.end();
}

}  // namespace

std::span<const std::string_view> reasons_about_energy() { return kAboutEnergy; }

const VerdictReason* refusal(bool of_power, const ProfiledRun& run) {
  const auto found = std::ranges::find_if(run.verdict_reasons, [&](const VerdictReason& reason) {
    return reason.level == VerdictLevel::not_comparable &&
           (of_power || !is_one_of(kAboutEnergy, reason));
  });
  return found == run.verdict_reasons.end() ? nullptr : &*found;
}

const VerdictReason* disturbance(const ProfiledRun& run) {
  const auto found = std::ranges::find_if(run.verdict_reasons, [](const VerdictReason& reason) {
    return reason.level == VerdictLevel::not_comparable && is_one_of(kPassing, reason);
  });
  return found == run.verdict_reasons.end() ? nullptr : &*found;
}

std::string why_repeated(const ProfiledRun& run) {
  const VerdictReason* const reason = disturbance(run);
  return reason != nullptr ? fmt::format("was disturbed: {}", reason->message)
                           : std::string{"is unlike the others"};
}

}  // namespace enprof
