// The result of an experiment: a line for each point.
#pragma once

#include "experiment/experiment_runner.hpp"
#include "report/text_table.hpp"

#include <string>

namespace enprof {

/// Means with their 95 % intervals as a Markdown table. Columns that do not fit the terminal are
/// left out, and named below the table; `width` 0 in the terminal: all are shown.
[[nodiscard]] std::string experiment_markdown(const ExperimentDesign& design,
                                              const ExperimentOutcome& outcome,
                                              const Terminal& terminal);
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
