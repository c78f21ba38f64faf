// The model of the last order, kept for the next one.
#pragma once

#include "enprof/base/error.hpp"

#include "base/file_version.hpp"
#include "engines/engine.hpp"
#include "session/open_model_file.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

namespace enprof {

/// Loads the models that orders name, one at a time: two at once may not fit into memory. The last
/// one stays, as the next order is often for the same. Threads: one.
class ModelKeeper {
 public:
  struct Options {
    /// Opens the file that a name stands for. Parts of a model that lies in several files are
    /// opened in the same way, by their names.
    std::function<Result<OpenModelFile>(const std::string& name)> open =
        [](const std::string& name) -> Result<OpenModelFile> { return OpenModelFile(name); };
    int threads = 0;  ///< as LoadRequest has them, and so the settings
    EngineSettings settings{};
    /// The engine that loads a file of this name.
    std::function<const Engine&(const std::filesystem::path& name)> engine_for;
  };

  explicit ModelKeeper(Options options) : options_(std::move(options)) {}

  /// What the file of that name says, without loading it; kept until it is loaded, so that it is
  /// read once. Errors: as make_ready().
  [[nodiscard]] Result<const ModelGlance*> look_at(const std::string& name);

  struct Ready {
    LoadedModel* model = nullptr;  ///< until the next call
    bool is_new = false;           ///< it was loaded for this order
  };
  /// The model of that name: at once, where it is the last order's and its file has not changed
  /// since. `progress` is told the share that is loaded, 0–1. Errors: those of opening and loading
  /// it.
  [[nodiscard]] Result<Ready> make_ready(const std::string& name, const std::stop_token& stop,
                                         const std::function<void(double)>& progress);

 private:
  Options options_;
  std::unique_ptr<LoadedModel> model_;
  std::unique_ptr<ModelGlance> glance_;  // of the name below
  std::string glanced_at_;
  std::string name_;                    // of the model
  std::optional<FileVersion> version_;  // of its file, from before it was read
};

}  // namespace enprof
