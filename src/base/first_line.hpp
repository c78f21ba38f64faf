// The first line of a small file, such as those of sysfs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace enprof {

/// The text without spaces, tabs and line ends around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Trimmed; empty if the file cannot be read.
[[nodiscard]] std::string first_line_of(const std::filesystem::path& path);

}  // namespace enprof
