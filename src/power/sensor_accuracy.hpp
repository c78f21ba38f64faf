// How well sensors are calibrated.
#pragma once

#include "enprof/model/domain.hpp"

#include <optional>

namespace enprof {

/// The standard uncertainty of a domain's energy from the calibration of its sensor, as a share of
/// the energy: type B of JCGM 100:2008, from publications and makers' documents. docs/sensors.md
/// ("How accurate") has the table with its sources. Empty for a sensor of which we know no figure,
/// and for an estimate.
[[nodiscard]] std::optional<double> published_uncertainty(const Domain& domain);

}  // namespace enprof
