#include "session/model_keeper.hpp"

#include "base/last_words.hpp"

#include <map>

namespace enprof {

Result<const ModelGlance*> ModelKeeper::look_at(const std::string& name) {
  auto file = options_.open(name);
  if (!file) {
    return std::unexpected(std::move(file.error()));
  }
  const Undertaking undertaking(name, "", -1);  // a broken file may end the program
  auto glance = options_.engine_for(name).look_at(file->path());
  if (!glance) {
    return std::unexpected(std::move(glance.error()));
  }
  glance_ = *std::move(glance);
  glanced_at_ = name;
  return glance_.get();
}

Result<ModelKeeper::Ready> ModelKeeper::make_ready(const std::string& name,
                                                   const std::stop_token& stop,
                                                   const std::function<void(double)>& progress) {
  auto file = options_.open(name);
  if (!file) {
    return std::unexpected(std::move(file.error()));
  }
  const auto version = FileVersion::of(file->path());
  if (model_ && name_ == name && version && version_ == version) {
    progress(1.0);  // who watches learns which model it is
    return Ready{.model = model_.get()};
  }
  model_.reset();
  // Parts of a model are opened as they are asked for. All stay open until they are loaded.
  std::map<std::filesystem::path, OpenModelFile> parts;
  parts.emplace(name, *std::move(file));
  const auto open_as = [&](const std::filesystem::path& part) {
    if (const auto there = parts.find(part); there != parts.end()) {
      return there->second.path();
    }
    auto opened = options_.open(part.string());
    return opened ? parts.emplace(part, *std::move(opened)).first->second.path()
                  : std::filesystem::path{};  // the engine says that there is none
  };
  auto glance = glanced_at_ == name ? std::move(glance_) : nullptr;
  auto loaded = options_.engine_for(name).load({.path = name,
                                                .threads = options_.threads,
                                                .settings = options_.settings,
                                                .glance = std::move(glance),
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
