// Reads a run piece by piece: its long lists row by row, and of its operations what a query is
// about.
#pragma once

#include "enprof/store/run_query.hpp"

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <optional>
#include <string_view>

namespace enprof {

/// See ProfileDatabase::run_head. The caller holds a transaction. Throws SQLite::Exception; so do
/// the others.
[[nodiscard]] std::optional<RunHead> read_head(SQLite::Database& database, std::string_view run_id);

/// See ProfileDatabase::read_page. Empty where the run is no longer what its head says.
[[nodiscard]] std::optional<RunPage> read_page(SQLite::Database& database, const RunHead& head,
                                               RunRows list, const RunPlace& from,
                                               std::size_t rows);

/// See ProfileDatabase::operation_sums.
[[nodiscard]] std::optional<OperationSums> sum_operations(SQLite::Database& database,
                                                          std::string_view run_id,
                                                          const PassRange& range);

/// See ProfileDatabase::sampled_values.
[[nodiscard]] std::optional<SampledValues> read_values(SQLite::Database& database,
                                                       std::string_view run_id,
                                                       const PassRange& range);

}  // namespace enprof
