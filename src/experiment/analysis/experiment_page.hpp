// An experiment as one HTML file.
#pragma once

#include "experiment/analysis/analysis.hpp"

#include <string>
#include <vector>

namespace enprof {

/// A page with its charts and style inside: it loads nothing, runs nothing, and can be printed. It
/// tells points, analyses, method, machine, versions, the uncertainty budget, and the commands to
/// repeat it. Texts from others are escaped.
[[nodiscard]] std::string experiment_page(const ExperimentData& data,
                                          const std::vector<Analysis>& analyses);

}  // namespace enprof
