// An experiment with its analyses as JSON.
#pragma once

#include "experiment/analysis/analysis.hpp"
#include "report/json_figures.hpp"

#include <string>
#include <vector>

namespace enprof {

/// {"name", "question", "answers", "lacks", "tables", "charts", "method"}. Keys of columns carry
/// their units; what is absent is null.
[[nodiscard]] Json analysis_to_json(const Analysis& analysis);

/// A point with its facts, means, half intervals and runs.
[[nodiscard]] Json point_to_json(const PointData& point);

/// {"experiment", …, "points", "analyses"}.
[[nodiscard]] Json experiment_to_json(const ExperimentData& data,
                                      const std::vector<Analysis>& analyses);

}  // namespace enprof
