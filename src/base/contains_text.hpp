// Looks for a text in a file of any size.
#pragma once

#include <filesystem>
#include <string_view>

namespace enprof {

/// Whether a regular file contains this text. False if it cannot be read. Throws what allocating
/// memory throws.
[[nodiscard]] bool contains_text(const std::filesystem::path& file, std::string_view text);

}  // namespace enprof
