// Fewer points that look the same.
#pragma once

#include "enprof/store/run_query.hpp"

#include <cstddef>
#include <vector>

namespace enprof {

/// At most `count` of the points, in order: the first, the last, and of each bucket between them
/// the one that makes the largest triangle with the point chosen before it and the mean of the next
/// bucket. Peaks stay. 0, or as many as there are: all. A count below three gives the first and the
/// last at most. (S. Steinarsson, Downsampling Time Series for Visual Representation, 2013: largest
/// triangle three buckets.)
[[nodiscard]] std::vector<PowerPoint> downsample(std::vector<PowerPoint> points, std::size_t count);

}  // namespace enprof
