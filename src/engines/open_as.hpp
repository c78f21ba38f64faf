// Opens a model's file by another path than the one that messages name.
#pragma once

#include <filesystem>
#include <functional>

namespace enprof {

/// Returns the path by which to open a file: for a file that is open already, the path of its
/// descriptor. If the file may not be opened, a path that does not exist.
using OpenAs = std::function<std::filesystem::path(const std::filesystem::path&)>;

}  // namespace enprof
