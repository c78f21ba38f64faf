// Finds runs: by a filter, or by an id, a prefix or "last".
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/run_query.hpp"

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// See ProfileDatabase::list_runs. The caller holds a transaction. Throws SQLite::Exception.
[[nodiscard]] RunList find_runs(SQLite::Database& database, const RunFilter& filter);

/// See ProfileDatabase::find_runs. Throws SQLite::Exception.
[[nodiscard]] RunIds find_run_ids(SQLite::Database& database, const RunFilter& filter);

/// See ProfileDatabase::summaries. Throws SQLite::Exception.
[[nodiscard]] RunSummaries read_summaries(SQLite::Database& database,
                                          std::span<const std::string> run_ids, std::size_t bytes);

/// See ProfileDatabase::summary. Throws SQLite::Exception.
[[nodiscard]] std::optional<RunSummary> read_summary(SQLite::Database& database,
                                                     std::string_view run_id);

/// The lines of the runs with these keys, in their order. Throws SQLite::Exception.
[[nodiscard]] std::vector<RunSummary> read_summaries(SQLite::Database& database,
                                                     std::span<const std::int64_t> run_keys);

/// See ProfileDatabase::experiments. Throws SQLite::Exception.
[[nodiscard]] std::vector<ExperimentSummary> list_experiments(SQLite::Database& database);

/// See ProfileDatabase::resolve. Throws SQLite::Exception.
[[nodiscard]] Result<std::string> resolve_run(SQLite::Database& database,
                                              std::string_view id_or_prefix);

}  // namespace enprof
