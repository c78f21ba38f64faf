// Finds the model that a user names by a path or a part of the file name.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A directory to search for models, and how many levels below it.
struct ModelPlace {
  std::filesystem::path directory;
  int levels = 0;
};

/// Those of these that exist: the current directory, ENPROF_MODELS_DIR, and the directories of
/// llama.cpp, Hugging Face and LM Studio.
[[nodiscard]] std::vector<ModelPlace> usual_model_places();

/// Whether a word ends like a model's file name: .gguf, in upper or lower case.
[[nodiscard]] bool is_model_file_name(std::string_view word);

/// The file at a path. If the name is not a path, the only GGUF file in these places with that
/// name, or with that text in its name (ignoring case). Later parts of split models and projectors
/// (mmproj) are ignored. Errors: not_found, for a dangling link with its target; invalid_argument,
/// if several files match, with all of them: it never guesses.
[[nodiscard]] Result<std::filesystem::path> find_model(const std::string& name,
                                                       const std::vector<ModelPlace>& places);

}  // namespace enprof
