// The result of an experiment for programs: a row for each point, alike in each form.
#pragma once

#include "experiment/experiment_runner.hpp"

#include <string>

namespace enprof {

// With all columns. Keys carry their units; what is absent is null or empty.
[[nodiscard]] std::string experiment_csv(const ExperimentDesign& design,
                                         const ExperimentOutcome& outcome);
[[nodiscard]] std::string experiment_json(const ExperimentDesign& design,
                                          const ExperimentOutcome& outcome);
/// An object on each line.
[[nodiscard]] std::string experiment_jsonl(const ExperimentDesign& design,
                                           const ExperimentOutcome& outcome);
/// Statements that make a table enprof_bench, where it is missing, and fill it.
[[nodiscard]] std::string experiment_sql(const ExperimentDesign& design,
                                         const ExperimentOutcome& outcome);

}  // namespace enprof
