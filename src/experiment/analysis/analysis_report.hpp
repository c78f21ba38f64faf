// Analyses of an experiment as text for a terminal.
#pragma once

#include "experiment/analysis/analysis.hpp"
#include "report/text_table.hpp"

#include <string>
#include <vector>

namespace enprof {

/// Columns that do not fit the terminal are left out, and named.
[[nodiscard]] std::string analyses_report(const ExperimentData& data,
                                          const std::vector<Analysis>& analyses,
                                          const Terminal& terminal);

/// A cell for people: "3.142 mJ ± 1.2 %"; a dash for what is absent.
[[nodiscard]] std::string cell_text(const AnalysisCell& cell, CellKind kind);

}  // namespace enprof
