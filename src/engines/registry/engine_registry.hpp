// The engines of this program.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/engine.hpp"

#include <filesystem>
#include <span>
#include <string_view>

namespace enprof {

/// All of them; the first is meant where a model's name does not tell. A new engine is a folder
/// beside this one and a line in engine_registry.cpp.
[[nodiscard]] std::span<const Engine* const> engines();

/// The engine that loads a file of this name.
[[nodiscard]] const Engine& engine_for(const std::filesystem::path& model);

/// The ending of an engine's models' names that this name has, upper or lower case; empty where it
/// has none.
[[nodiscard]] std::string_view model_suffix(std::string_view file_name);

/// The engine of whose models this may be one, by its name; null where it is no model's, or a part
/// of one that is not loaded by itself.
[[nodiscard]] const Engine* engine_of_model(std::string_view file_name);

}  // namespace enprof
