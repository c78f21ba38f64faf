// Changes between repeated measurements, with their intervals.
#pragma once

#include "base/mean_interval.hpp"

#include <optional>
#include <span>
#include <utility>

namespace enprof {

/// The mean of B over the mean of A, minus 1: +0.1 is 10 % more.
struct ChangeInterval {
  double change = 0.0;
  std::optional<double> half{};  ///< by the spread of the values; empty if a side has one value
  double freedom = 0.0;          ///< degrees of freedom
};

/// Of two independent sets, whose spreads may differ: Welch's t test, applied to the ratio of the
/// means by the law of propagation of uncertainty (JCGM 100:2008, 5.1.2). Each set has at least one
/// value; the mean of A is above 0.
[[nodiscard]] ChangeInterval independent_change(std::span<const double> a,
                                                std::span<const double> b, double confidence);

/// Of pairs that were measured one soon after the other, so that both have the same drift: the
/// ratio estimator (Cochran, Sampling Techniques, 6.3). At least one pair; the mean of A is above
/// 0.
[[nodiscard]] ChangeInterval paired_change(std::span<const std::pair<double, double>> pairs,
                                           double confidence);

}  // namespace enprof
