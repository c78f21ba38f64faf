// All tables of a run in one file.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include "base/unnamed_file.hpp"

namespace enprof {

/// Appends a ZIP file with one NAME.csv for each table of run_to_csv(). Rows go through a buffer of
/// CsvTable::kPiece bytes, so that it takes no more memory for a run of a million operations than
/// for one of ten. Errors: those of the file; internal.
[[nodiscard]] Result<void> write_csv_archive(const ProfiledRun& run, UnnamedFile& file);

}  // namespace enprof
