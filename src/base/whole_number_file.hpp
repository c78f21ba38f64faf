// Files that hold one whole number: sysfs attributes.
#pragma once

#include "enprof/base/error.hpp"

#include "base/polled_file.hpp"

#include <cstdint>
#include <filesystem>

namespace enprof {

/// The number, which may be negative: a current may flow backwards. Errors: as PolledFile;
/// malformed, with the text that stands there.
[[nodiscard]] Result<std::int64_t> read_whole_number(const PolledFile& file);
/// The same; opens the file and closes it.
[[nodiscard]] Result<std::int64_t> read_whole_number(const std::filesystem::path& path);

}  // namespace enprof
