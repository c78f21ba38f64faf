// The first line of a small file, as those of sysfs are.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace enprof {

/// Without spaces, tabs and line ends around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Trimmed; empty where it cannot be read.
[[nodiscard]] std::string first_line_of(const std::filesystem::path& path);

}  // namespace enprof
