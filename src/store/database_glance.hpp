// Looks at a database file without changing anything.
#pragma once

#include "enprof/base/error.hpp"

#include <cstddef>
#include <filesystem>

namespace enprof {

/// What a database file contains.
struct DatabaseGlance {
  int schema_version = 0;  ///< 0: it has no tables yet
  std::size_t runs = 0;
};

/// Unlike ProfileDatabase::connect(), it leaves an older schema as it is and creates no file, not
/// even beside the database. Errors: those of connect(); not_found, if there is no such file.
[[nodiscard]] Result<DatabaseGlance> glance_at(const std::filesystem::path& path);

}  // namespace enprof
