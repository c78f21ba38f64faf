#include "engines/registry/engine_registry.hpp"

#include "base/lower_case.hpp"
#include "engines/llama/llama.hpp"
#include "engines/playback/playback.hpp"

#include <algorithm>
#include <array>
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
  const std::string_view suffix = model_suffix(model.filename().string());
  const auto found = std::ranges::find(engines(), suffix, &Engine::suffix);
  return found != engines().end() ? **found : *engines().front();
}

std::string_view model_suffix(std::string_view file_name) {
  const std::string name = lower_case(file_name);
  for (const Engine* engine : engines()) {
    if (name.ends_with(engine->suffix())) {
      return engine->suffix();
    }
  }
  return {};
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
