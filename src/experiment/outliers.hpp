// Which runs of a point are unlike the others, although nothing that was watched disturbed them.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace enprof {

/// A run is an outlier if its decode speed, its prefill speed or its energy per token is further
/// from the median of the point's runs than kFarSpreads of their spreads (1.4826 × the median
/// absolute deviation: of a normal distribution its standard deviation) and than kFarShare of the
/// median. Both are so wide that chance makes no outliers of runs which are as noisy as each other.
/// Nothing is judged before there are kLeastOthers others.
inline constexpr double kFarSpreads = 8.0;
inline constexpr double kFarShare = 0.05;
inline constexpr std::size_t kLeastOthers = 4;

/// Of the runs of one point: whether each is an outlier. Runs that are not completed, or that were
/// disturbed, are neither judged nor compared with. Three outliers of one round without another run
/// stand: the point was measured again and again, and the machine says the same.
[[nodiscard]] std::vector<bool> find_outliers(std::span<const ProfiledRun> runs);

/// The runs of a point that its figures are computed from: completed, not disturbed, no outliers.
/// The rest is counted, and named with its reason, but is in no mean.
[[nodiscard]] std::vector<bool> find_counted(std::span<const ProfiledRun> runs);

}  // namespace enprof
