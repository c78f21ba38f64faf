// Reads a run from the tables.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/store/run_query.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace enprof {

/// Empty if there is no such run. The caller holds a transaction, so that all rows are of one
/// moment. Throws SQLite::Exception, as do the functions below.
[[nodiscard]] std::optional<ProfiledRun> read_run(SQLite::Database& database,
                                                  std::string_view run_id,
                                                  const RunParts& parts = {});

/// The key that the run's rows have.
[[nodiscard]] std::optional<std::int64_t> find_run_key(SQLite::Database& database,
                                                       std::string_view run_id);

[[nodiscard]] std::optional<RunPipeline> read_pipeline(SQLite::Database& database,
                                                       std::string_view run_id);

}  // namespace enprof
