// Reduces a series to fewer points that look the same.
#pragma once

#include "enprof/store/run_query.hpp"

#include <cstddef>
#include <vector>

namespace enprof {

/// At most `count` of the points, in order: the first, the last, and from each bucket between them
/// the point that makes the largest triangle with the point chosen before it and the mean of the
/// next bucket. Peaks stay. All points if `count` is 0 or at least their number. A count below
/// three gives at most the first and the last. (S. Steinarsson, Downsampling Time Series for Visual
/// Representation, 2013: largest triangle three buckets.)
[[nodiscard]] std::vector<PowerPoint> downsample(std::vector<PowerPoint> points, std::size_t count);

}  // namespace enprof
