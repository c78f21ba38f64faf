// Reads parts of a run: pages of its long lists, and the operations that a query asks for.
#pragma once

#include "enprof/store/run_query.hpp"

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <optional>
#include <string_view>

namespace enprof {

/// See ProfileDatabase::run_head. The caller holds a transaction. Throws SQLite::Exception, as do
/// the functions below.
[[nodiscard]] std::optional<RunHead> read_head(SQLite::Database& database, std::string_view run_id);

/// See ProfileDatabase::read_page. Empty if the run is no longer the one that `head` was read from.
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
