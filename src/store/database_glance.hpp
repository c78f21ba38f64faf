// A look at a database file that changes nothing.
#pragma once

#include "enprof/base/error.hpp"

#include <cstddef>
#include <filesystem>

namespace enprof {

/// What a database file tells.
struct DatabaseGlance {
  int schema_version = 0;  ///< 0: it has no tables yet
  std::size_t runs = 0;
};

/// Unlike ProfileDatabase::connect(), an older schema stays as it is, and no file appears, also not
/// beside it. Errors: those of connect(); not_found, where there is no such file.
[[nodiscard]] Result<DatabaseGlance> glance_at(const std::filesystem::path& path);

}  // namespace enprof
