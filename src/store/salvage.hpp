// Saves what can be read of a damaged file.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/database_care.hpp"

#include <filesystem>

namespace enprof {

/// See ProfileDatabase::salvage.
[[nodiscard]] Result<SalvageReport> salvage_database(const std::filesystem::path& damaged,
                                                     const std::filesystem::path& target);

}  // namespace enprof
