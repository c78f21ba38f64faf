// The energy of a figure whose time windows cover almost whole.
#pragma once

#include "enprof/model/figure.hpp"

#include <optional>

namespace enprof {

/// 0–1. Below this coverage too much is unknown for ratios such as joules per token or per byte.
inline constexpr double kEnoughCoverage = 0.9;

/// Mean power × duration: what is divided by work that was all done, covered by windows or not.
/// Empty if the coverage is below kEnoughCoverage.
[[nodiscard]] inline std::optional<Joules> whole_energy(const Figure& figure) {
  return figure.mean_power && figure.quality.coverage >= kEnoughCoverage
             ? std::optional{*figure.mean_power * figure.duration}
             : std::nullopt;
}

}  // namespace enprof
