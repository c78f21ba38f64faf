// Files that contain one whole number, such as sysfs attributes.
#pragma once

#include "enprof/base/error.hpp"

#include "base/polled_file.hpp"

#include <cstdint>
#include <filesystem>

namespace enprof {

/// The number, which may be negative (a current may flow backwards). Errors: as PolledFile;
/// malformed, with the text of the file.
[[nodiscard]] Result<std::int64_t> read_whole_number(const PolledFile& file);
/// The same, but opens and closes the file.
[[nodiscard]] Result<std::int64_t> read_whole_number(const std::filesystem::path& path);

}  // namespace enprof
