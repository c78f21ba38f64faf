// Restores a database from a copy.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/database_care.hpp"

#include <filesystem>

namespace enprof {

/// See ProfileDatabase::restore.
[[nodiscard]] Result<RestoreReport> restore_database(const std::filesystem::path& path,
                                                     const std::filesystem::path& copy);

}  // namespace enprof
