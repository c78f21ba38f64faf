// How a model's file is opened that goes by another path.
#pragma once

#include <filesystem>
#include <functional>

namespace enprof {

/// By which path a file is opened that goes by another one: by the one of its descriptor, for a
/// file that is held open already. A path that there is not, where it may not be opened.
using OpenAs = std::function<std::filesystem::path(const std::filesystem::path&)>;

}  // namespace enprof
