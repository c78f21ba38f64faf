#include "engines/registry/engine_registry.hpp"

#include "engines/llama/llama.hpp"
#include "engines/playback/playback.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace enprof {

std::span<const Engine* const> engines() {
  static const std::array kEngines{
      &llama(),
      &playback(),
  };
  return kEngines;
}

const Engine& engine_for(const std::filesystem::path& model) {
  std::string name = model.filename().string();
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Engine* engine : engines()) {
    if (name.ends_with(engine->suffix())) {
      return *engine;
    }
  }
  return *engines().front();
}

const Engine* engine_of_model(std::string_view file_name) {
  for (const Engine* engine : engines()) {
    if (engine->is_model_name(file_name)) {
      return engine;
    }
  }
  return nullptr;
}

}  // namespace enprof
