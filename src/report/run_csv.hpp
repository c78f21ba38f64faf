// A run as tables, for spreadsheets and data frames.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/csv_table.hpp"

#include <string_view>
#include <vector>

namespace enprof {

/// All of a run, one table a list; a list that is empty is a table with a header alone. Columns
/// have the names and units of the JSON.
[[nodiscard]] std::vector<CsvTable> run_to_csv(const ProfiledRun& run);
/// The names of the tables that every run has.
[[nodiscard]] std::vector<std::string_view> csv_table_names();
/// One of the tables, given to `sink` piece by piece: a run of a million operations need not be in
/// memory as text. False where there is no table of that name.
[[nodiscard]] bool write_csv_table(const ProfiledRun& run, std::string_view name,
                                   const CsvTable::Sink& sink);

}  // namespace enprof
