// The result of an experiment for people: a line for each point.
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

}  // namespace enprof
