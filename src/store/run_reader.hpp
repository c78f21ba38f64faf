// Reads a run back out of the tables.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <SQLiteCpp/Database.h>

#include <optional>
#include <string_view>

namespace enprof {

/// Empty where there is no such run. The caller holds a transaction, so that all rows are of one
/// moment. Throws SQLite::Exception.
[[nodiscard]] std::optional<ProfiledRun> read_run(SQLite::Database& database,
                                                  std::string_view run_id);

}  // namespace enprof
