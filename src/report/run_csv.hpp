// A run as tables, for spreadsheets and data frames.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/csv_table.hpp"

#include <vector>

namespace enprof {

/// All of a run, one table a list; a list that is empty is a table with a header alone. Columns
/// have the names and units of the JSON.
[[nodiscard]] std::vector<CsvTable> run_to_csv(const ProfiledRun& run);

}  // namespace enprof
