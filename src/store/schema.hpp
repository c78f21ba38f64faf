// The tables, and how files with older tables are brought up to date. docs/schema.md explains them.
#pragma once

#include "enprof/base/error.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// What `PRAGMA application_id` of our files says: "enpr".
inline constexpr std::int32_t kApplicationId = 0x656E7072;

/// The names of all tables, that of the runs first.
[[nodiscard]] std::span<const std::string_view> schema_tables();

/// Whether the file is ours, or empty. Reads only. Errors: invalid_argument (another program's).
/// Throws SQLite::Exception.
[[nodiscard]] Result<void> check_owner(SQLite::Database& database,
                                       const std::filesystem::path& path);

/// PRAGMA user_version: how many of the scripts have run. Throws SQLite::Exception.
[[nodiscard]] int schema_version(SQLite::Database& database);

/// Whether a file that no script is left for can be used by a program that knows `newest` versions.
/// Reads only. Errors: unsupported (newer than this program), corrupt (tables are missing). Throws
/// SQLite::Exception.
[[nodiscard]] Result<void> check_newest(SQLite::Database& database,
                                        const std::filesystem::path& path, int newest);

/// Brings our file to the newest version. Each script runs in a transaction of its own, and for a
/// new file all in one, so a file is always at one version or another. Errors: those of
/// check_newest(). Throws SQLite::Exception.
[[nodiscard]] Result<void> bring_up_to_date(SQLite::Database& database,
                                            const std::filesystem::path& path,
                                            std::span<const std::string> migrations);

}  // namespace enprof
