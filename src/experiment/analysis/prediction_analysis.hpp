// What models would draw that did not run.
#pragma once

#include "experiment/analysis/analysis.hpp"

namespace enprof {

/// By fit_energy_model(): of the models that the options name, and of points without an energy.
[[nodiscard]] Analysis analyze_prediction(const ExperimentData& data,
                                          const AnalysisOptions& options);

}  // namespace enprof
