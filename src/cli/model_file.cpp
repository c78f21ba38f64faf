#include "cli/model_file.hpp"

#include "base/lower_case.hpp"
#include "base/nearest_name.hpp"
#include "base/shell_quote.hpp"
#include "cli/shared_options.hpp"
#include "engines/registry/engine_registry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostEntries = 20'000;  // entries to examine in one place
constexpr std::size_t kNamedAtMost = 12;      // in one message

bool is_model(const fs::path& path) { return engine_of_model(path.filename().string()) != nullptr; }

/// A model's file name without its engine's suffix.
std::string stem_of(const fs::path& model) {
  std::string name = model.filename().string();
  name.resize(name.size() - model_suffix(name).size());
  return name;
}

/// Adds the models below a directory; skips what cannot be read.
void collect(const ModelPlace& place, std::vector<fs::path>& models) {
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied |
                       fs::directory_options::follow_directory_symlink;
  fs::recursive_directory_iterator entry(place.directory, options, error);
  std::size_t seen = 0;
  for (const fs::recursive_directory_iterator end; !error && entry != end && ++seen < kMostEntries;
       entry.increment(error)) {
    if (entry.depth() >= place.levels) {
      entry.disable_recursion_pending();
    }
    std::error_code unusable;
    if (is_model(entry->path()) && entry->is_regular_file(unusable)) {
      models.push_back(place.directory == "." ? entry->path().filename() : entry->path());
    }
  }
}

/// A file that was found through two places, or through a link, counts once.
void remove_duplicates(std::vector<fs::path>& models) {
  std::vector<fs::path> kept;
  std::vector<fs::path> real;
  for (fs::path& model : models) {
    std::error_code ignored;
    fs::path canonical = fs::canonical(model, ignored);
    if (std::ranges::find(real, canonical) == real.end()) {
      real.push_back(std::move(canonical));
      kept.push_back(std::move(model));
    }
  }
  models = std::move(kept);
}

std::vector<fs::path> matching_models(const std::vector<fs::path>& models, const auto& fits) {
  std::vector<fs::path> result;
  std::ranges::copy_if(models, std::back_inserter(result), [&](const fs::path& model) {
    return fits(lower_case(model.filename().string()));
  });
  remove_duplicates(result);
  std::ranges::sort(result);
  return result;
}

std::string as_list(const std::vector<fs::path>& models) {
  std::string text;
  for (std::size_t index = 0; index < models.size() && index < kNamedAtMost; ++index) {
    text += fmt::format("\n  -m {}", shell_quote(models[index].string()));
  }
  return text + (models.size() > kNamedAtMost
                     ? fmt::format("\n  and {} more", models.size() - kNamedAtMost)
                     : "");
}

/// The error of a link that leads to no file; empty if it leads to a file, or is not a link.
std::optional<Error> dangling_link(const fs::path& name) {
  constexpr int kMostLinks = 40;  // like the kernel's limit
  std::error_code failed;
  fs::path path = name;
  for (int links = 0; fs::is_symlink(fs::symlink_status(path, failed)); ++links) {
    if (links == kMostLinks) {
      return Error{ErrorCode::not_found,
                   fmt::format("{} is a link that leads back to itself", name.string()),
                   "Name the model's file, or recreate the link."};
    }
    const fs::path target = fs::read_symlink(path, failed);
    if (failed) {
      return std::nullopt;
    }
    path = target.is_absolute() ? target : path.parent_path() / target;
  }
  if (path == name || fs::symlink_status(path, failed).type() != fs::file_type::not_found) {
    return std::nullopt;
  }
  return Error{ErrorCode::not_found,
               fmt::format("{} is a link to {}, which does not exist", name.string(),
                           path.lexically_normal().string()),
               "The model may have been moved or deleted: restore it, or name another."};
}

std::unexpected<Error> no_such_model(const std::string& name, const std::vector<ModelPlace>& places,
                                     const std::vector<fs::path>& models) {
  std::vector<std::string> looked_in;
  looked_in.reserve(places.size());
  for (const ModelPlace& place : places) {
    looked_in.push_back(place.directory == "." ? "this directory" : place.directory.string());
  }
  // With and without suffix: the given name may have none.
  std::vector<std::string> names;
  names.reserve(models.size());
  for (const fs::path& model : models) {
    names.push_back((model_suffix(name).empty() ? stem_of(model) : model.filename().string()));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto meant = nearest_name(name, views);
  std::string hint;
  if (name.find("://") != std::string::npos) {
    hint = "enprof downloads nothing: name a file that is on this machine.";
  } else if (meant) {
    const auto index = static_cast<std::size_t>(std::ranges::find(views, *meant) - views.begin());
    hint = fmt::format("Did you mean -m {}?", shell_quote(models[index].string()));
  } else if (!models.empty()) {
    hint = fmt::format("These models exist:{}", as_list(models));
  } else {
    hint = fmt::format("Check the path; to try enprof without a model: enprof model synth -o {}",
                       model_suffix(name).empty() ? "model.gguf" : shell_quote(name));
  }
  return fail(ErrorCode::not_found,
              fmt::format("There is no file {0}, and no model whose name contains {0} in {1}", name,
                          fmt::join(looked_in, ", ")),
              hint);
}

}  // namespace

std::vector<ModelPlace> usual_model_places() {
  std::vector<ModelPlace> places{{.directory = ".", .levels = 0}};
  const auto add = [&](fs::path directory, int levels) {
    std::error_code ignored;
    if (fs::is_directory(directory, ignored)) {
      places.push_back({.directory = std::move(directory), .levels = levels});
    }
  };
  add("models", 1);
  if (const auto chosen = environment_variable("ENPROF_MODELS_DIR")) {
    add(*chosen, 2);
  }
  if (const auto cache = environment_variable("LLAMA_CACHE")) {
    add(*cache, 1);
  }
  if (const auto cache = environment_variable("HF_HOME")) {
    add(fs::path{*cache} / "hub", 4);
  }
  if (const auto home = environment_variable("HOME")) {
    const fs::path directory = *home;
    add(directory / "models", 2);
    add(directory / ".cache/llama.cpp", 1);
    add(directory / "Library/Caches/llama.cpp", 1);
    add(directory / ".cache/huggingface/hub", 4);
    add(directory / ".lmstudio/models", 3);
    add(directory / ".cache/lm-studio/models", 3);
  }
  return places;
}

bool is_model_file_name(std::string_view word) { return !model_suffix(word).empty(); }

Result<fs::path> find_model(const std::string& name, const std::vector<ModelPlace>& places) {
  if (auto dangling = dangling_link(name)) {
    return std::unexpected(*std::move(dangling));
  }
  std::error_code ignored;
  if (name.find('/') != std::string::npos || fs::exists(name, ignored)) {
    return fs::path{name};  // the caller that opens it reports what is wrong with it
  }
  std::vector<fs::path> models;
  for (const ModelPlace& place : places) {
    collect(place, models);
  }
  const std::string wanted = lower_case(name);
  auto found = matching_models(
      models, [&](const std::string& file) { return file == wanted || stem_of(file) == wanted; });
  if (found.empty()) {
    found = matching_models(
        models, [&](const std::string& file) { return file.find(wanted) != std::string::npos; });
  }
  if (found.empty()) {
    remove_duplicates(models);
    std::ranges::sort(models);
    return no_such_model(name, places, models);
  }
  if (found.size() > 1) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} models have \"{}\" in their names", found.size(), name),
                "Name one of them:" + as_list(found));
  }
  return found.front();
}

}  // namespace enprof
