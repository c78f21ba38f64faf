// How much longer something takes than something else, from many paired measurements.
#pragma once

#include <vector>

namespace enprof::bench {

/// One measurement between two measurements of the thing that it is compared with, in seconds.
struct Paired {
  double with = 0.0;
  double before = 0.0;
  double after = 0.0;
};

struct PairedRatio {
  double ratio = 0.0;
  double error = 0.0;  ///< standard error, by the bootstrap over rounds
};

/// `rounds[r][i]` is step `i` of round `r`; all rounds have the same steps. For each step, takes
/// the median over the rounds of log(with / before) and log(with / after); then the mean over the
/// steps. So disturbances of a few measurements do not count, and a step that always takes longer
/// (the first one, or one whose values are sampled) counts as often as it occurs. If nothing is
/// added, each of the two ratios is as likely to be above 1 as below, with any kind of noise.
[[nodiscard]] PairedRatio paired_ratio(const std::vector<std::vector<Paired>>& rounds);

}  // namespace enprof::bench
