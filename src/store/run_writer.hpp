// Writes a run into the tables.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// Whether the run can be stored: it has an id, and its indices refer to domains that it has.
/// Errors: invalid_argument.
[[nodiscard]] Result<void> check_run(const ProfiledRun& run);

/// About how many bytes of disk saving the run takes, in the log and in the file.
[[nodiscard]] std::uintmax_t bytes_to_save(const ProfiledRun& run);

/// Writes all rows of the run and returns its key, which is `key` if that is given. The caller
/// holds the transaction. Throws SQLite::Exception.
std::int64_t write_run(SQLite::Database& database, const ProfiledRun& run,
                       std::optional<std::int64_t> key = std::nullopt);

/// See ProfileDatabase::save_run. The caller holds the transaction. Throws SQLite::Exception.
[[nodiscard]] Result<void> replace_run(SQLite::Database& database,
                                       const std::filesystem::path& path, const ProfiledRun& run);

/// See ProfileDatabase::begin_run. The caller holds the transaction. Throws SQLite::Exception.
[[nodiscard]] Result<void> insert_unfinished_run(SQLite::Database& database,
                                                 const std::filesystem::path& path,
                                                 const ProfiledRun& run);

/// See ProfileDatabase::set_tags. The caller holds the transaction. Throws SQLite::Exception.
[[nodiscard]] Result<bool> replace_tags(SQLite::Database& database, std::string_view run_id,
                                        std::span<const std::string> tags);

/// False if there is no such run. Throws SQLite::Exception.
bool erase_run(SQLite::Database& database, std::string_view run_id);

}  // namespace enprof
