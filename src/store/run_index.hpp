// Finds runs: the list with its filters, and the run that an id, a prefix or "last" names.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/profile_database.hpp"

#include <SQLiteCpp/Database.h>

#include <string>
#include <string_view>

namespace enprof {

/// See ProfileDatabase::list_runs. The caller holds a transaction. Throws SQLite::Exception.
[[nodiscard]] RunList find_runs(SQLite::Database& database, const RunFilter& filter);

/// See ProfileDatabase::resolve. Throws SQLite::Exception.
[[nodiscard]] Result<std::string> resolve_run(SQLite::Database& database,
                                              std::string_view id_or_prefix);

}  // namespace enprof
