#include "session/model_keeper.hpp"

#include "base/last_words.hpp"

#include <map>
#include <utility>

namespace enprof {

Result<const ModelHeader*> ModelKeeper::read_header(const std::string& name) {
  auto file = options_.open(name);
  if (!file) {
    return std::unexpected(std::move(file.error()));
  }
  const CrashContext undertaking(name, "", -1);  // a broken file may end the program
  auto header = options_.engine_for(name).read_header(file->path());
  if (!header) {
    return std::unexpected(std::move(header.error()));
  }
  header_ = *std::move(header);
  header_of_ = name;
  return header_.get();
}

void ModelKeeper::use_settings(EngineSettings settings) {
  if (settings != options_.settings) {
    options_.settings = std::move(settings);
    model_.reset();
  }
}

Result<ModelKeeper::Ready> ModelKeeper::make_ready(const std::string& name,
                                                   const std::stop_token& stop,
                                                   const std::function<void(double)>& progress) {
  auto file = options_.open(name);
  if (!file) {
    return std::unexpected(std::move(file.error()));
  }
  const auto version = FileVersion::of(file->path());
  if (model_ && model_->is_usable() && name_ == name && version && version_ == version) {
    progress(1.0);  // lets the observer know which model it is
    return Ready{.model = model_.get()};
  }
  model_.reset();
  // Parts of a model are opened on request, and stay open until the model is loaded.
  std::map<std::filesystem::path, OpenModelFile> parts;
  parts.emplace(name, *std::move(file));
  const auto open_as = [&](const std::filesystem::path& part) {
    if (const auto there = parts.find(part); there != parts.end()) {
      return there->second.path();
    }
    auto opened = options_.open(part.string());
    return opened ? parts.emplace(part, *std::move(opened)).first->second.path()
                  : std::filesystem::path{};  // the engine reports that it is missing
  };
  auto header = header_of_ == name ? std::move(header_) : nullptr;
  auto loaded = options_.engine_for(name).load({.path = name,
                                                .threads = options_.threads,
                                                .settings = options_.settings,
                                                .header = std::move(header),
                                                .open_as = open_as,
                                                .progress = progress,
                                                .stop = stop});
  if (!loaded) {
    return std::unexpected(std::move(loaded.error()));
  }
  model_ = *std::move(loaded);
  name_ = name;
  version_ = version;
  return Ready{.model = model_.get(), .is_new = true};
}

}  // namespace enprof
