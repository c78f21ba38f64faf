// The engines of this program.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/engine.hpp"

#include <filesystem>
#include <span>
#include <string_view>

namespace enprof {

/// All engines; the first one is used if a model's name does not decide. A new engine is a folder
/// beside this one and a line in engine_registry.cpp.
[[nodiscard]] std::span<const Engine* const> engines();

/// The engine that loads a file of this name.
[[nodiscard]] const Engine& engine_for(const std::filesystem::path& model);

/// The suffix of an engine's models that this name has, in upper or lower case; empty if it has
/// none.
[[nodiscard]] std::string_view model_suffix(std::string_view file_name);

/// The engine of a model file, by its name; null if the name is not a model's, or is that of a part
/// that is not loaded by itself.
[[nodiscard]] const Engine* engine_of_model(std::string_view file_name);

}  // namespace enprof
