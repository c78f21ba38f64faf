// The names in a directory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace enprof {

/// What a directory holds, in no order, without "." and ".."; empty if it cannot be read. Throws
/// std::bad_alloc; with libstdc++'s directory_iterator, running out of memory ends the program.
[[nodiscard]] std::vector<std::string> names_in(const std::filesystem::path& directory);

}  // namespace enprof
