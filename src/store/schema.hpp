// The tables, and their migration from older versions. docs/schema.md explains them.
#pragma once

#include "enprof/base/error.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// The `PRAGMA application_id` of our files: "enpr".
inline constexpr std::int32_t kApplicationId = 0x656E7072;

/// The names of all tables; `runs` comes first.
[[nodiscard]] std::span<const std::string_view> schema_tables();

/// Succeeds if the file is ours, or empty. Only reads. Errors: invalid_argument (another
/// program's). Throws SQLite::Exception.
[[nodiscard]] Result<void> check_owner(SQLite::Database& database,
                                       const std::filesystem::path& path);

/// PRAGMA user_version: the number of scripts that have run. Throws SQLite::Exception.
[[nodiscard]] int schema_version(SQLite::Database& database);

/// Succeeds if this program, which knows `newest` versions, can use a file that needs no more
/// scripts. Only reads. Errors: unsupported (newer than this program), corrupt (tables are
/// missing). Throws SQLite::Exception.
[[nodiscard]] Result<void> check_newest(SQLite::Database& database,
                                        const std::filesystem::path& path, int newest);

/// Migrates our file to the newest version. Each script runs in its own transaction, and for a new
/// file all run in one, so that a file is always exactly at one version. Errors: those of
/// check_newest(). Throws SQLite::Exception.
[[nodiscard]] Result<void> bring_up_to_date(SQLite::Database& database,
                                            const std::filesystem::path& path,
                                            std::span<const std::string> migrations);

}  // namespace enprof
