// How much longer something takes than something else, from many pairs of measurements.
#pragma once

#include <vector>

namespace enprof::bench {

/// One measurement that stands between two of what it is compared with, in seconds.
struct Paired {
  double with = 0.0;
  double before = 0.0;
  double after = 0.0;
};

struct PairedRatio {
  double ratio = 0.0;
  double error = 0.0;  ///< standard error, by the bootstrap over rounds
};

/// `rounds[r][i]` is step `i` of round `r`; all rounds have the same steps. Of each step the median
/// over the rounds of log(with / before) and log(with / after), then the mean over the steps: what
/// the machine does to a few measurements does not count, and a step that always takes longer (the
/// first, one whose values are read) counts as often as it comes. Each of the two ratios is as
/// likely to be above 1 as below where nothing is added, whatever the noise looks like.
[[nodiscard]] PairedRatio paired_ratio(const std::vector<std::vector<Paired>>& rounds);

}  // namespace enprof::bench
