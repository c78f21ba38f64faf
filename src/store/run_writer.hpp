// Writes a run into the tables.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <optional>

namespace enprof {

/// Whether the run can be stored: it has an id, and its indices point at domains that it has.
/// Errors: invalid_argument.
[[nodiscard]] Result<void> check_run(const ProfiledRun& run);

/// About how many bytes of disk saving the run takes, while it is in the log and in the file.
[[nodiscard]] std::uintmax_t bytes_to_save(const ProfiledRun& run);

/// Writes all rows of the run and returns its key: the one given, where there is one. The caller
/// holds the transaction. Throws SQLite::Exception.
std::int64_t write_run(SQLite::Database& database, const ProfiledRun& run,
                       std::optional<std::int64_t> key = std::nullopt);

}  // namespace enprof
