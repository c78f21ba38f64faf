// The model that a user means by a path, or by a part of a file's name.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A directory to look for models in, and how many levels below it.
struct ModelPlace {
  std::filesystem::path directory;
  int levels = 0;
};

/// The current directory, ENPROF_MODELS_DIR, and where llama.cpp, Hugging Face and LM Studio keep
/// theirs, as far as they are there.
[[nodiscard]] std::vector<ModelPlace> usual_model_places();

/// Whether a word ends as the names of models do: .gguf, in upper or lower case.
[[nodiscard]] bool is_model_file_name(std::string_view word);

/// The file of a path; of a word that is none, the one GGUF file in these places that is called so,
/// or that has it in its name (upper and lower case are the same). Later parts of split models and
/// projectors (mmproj) are not looked at. Errors: not_found, of a link with where it leads;
/// invalid_argument where more than one could be meant, with all of them: it never guesses.
[[nodiscard]] Result<std::filesystem::path> find_model(const std::string& name,
                                                       const std::vector<ModelPlace>& places);

}  // namespace enprof
