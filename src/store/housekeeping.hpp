// Looking after a database: counting, checking, thinning out, copying.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/database_care.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace enprof {

/// 0 where there is no such file.
[[nodiscard]] std::uintmax_t file_bytes(const std::filesystem::path& path);

/// See ProfileDatabase::stats. This and what follows throws SQLite::Exception.
[[nodiscard]] DatabaseStats count_all(SQLite::Database& database,
                                      const std::filesystem::path& path);

/// See ProfileDatabase::check.
[[nodiscard]] CheckReport check_all(SQLite::Database& database);

/// See ProfileDatabase::prune. Oldest first.
[[nodiscard]] std::vector<RunSummary> find_old_runs(SQLite::Database& database,
                                                    const PruneRule& rule, WallTime now);

/// See ProfileDatabase::backup.
[[nodiscard]] Result<void> back_up(SQLite::Database& database, const std::filesystem::path& target);

}  // namespace enprof
