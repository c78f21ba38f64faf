// Maintenance of a database: counting, checking, pruning, copying.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/database_care.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace enprof {

/// 0 if there is no such file.
[[nodiscard]] std::uintmax_t file_bytes(const std::filesystem::path& path);

/// See ProfileDatabase::stats. Throws SQLite::Exception, as do the functions below.
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
