// What a calibration says of the power of a run's classes of work.
#pragma once

#include "enprof/model/calibration.hpp"

#include "attribution/class_powers.hpp"
#include "profile/assemble/layer_tree.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace enprof {

/// By class of work; empty where nothing is known.
using ClassPriors = std::vector<std::optional<PriorPower>>;

/// The powers of one domain by the classes of a tree. A class that is a whole component has the
/// mean of its operations' powers, weighted by their time in a pass. Empty for each class if the
/// calibration did not measure that domain.
///
/// The relative standard deviation has three parts: the calibration's own; kReplayDeviation, as a
/// class that runs alone is not quite the same; and half of the relative difference between the
/// times that the operations took alone and in a pass: what runs at another speed does not draw the
/// same power.
[[nodiscard]] ClassPriors priors_of(const Calibration& calibration, std::string_view domain,
                                    const std::vector<const SpanClass*>& classes);

}  // namespace enprof
