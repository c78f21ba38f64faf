// The steps of unfinished runs.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/profile_database.hpp"

#include "store/step_store.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// About how many bytes of disk these steps take, in the log and in the file.
[[nodiscard]] std::uintmax_t bytes_to_append(std::span<const RunStep> steps);

/// See ProfileDatabase::append_steps. The caller holds the transaction. Throws SQLite::Exception.
[[nodiscard]] Result<void> write_steps(SQLite::Database& database,
                                       const std::filesystem::path& path, std::string_view run_id,
                                       std::span<const RunStep> steps);

/// See ProfileDatabase::read_steps. Throws SQLite::Exception.
[[nodiscard]] std::vector<RunStep> read_steps(SQLite::Database& database, std::string_view run_id);

/// See ProfileDatabase::unfinished_runs. Throws SQLite::Exception.
[[nodiscard]] std::vector<std::string> find_unfinished_runs(SQLite::Database& database);

}  // namespace enprof
