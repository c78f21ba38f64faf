// Keeps the model of the last task for the next one.
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

/// Loads the models of tasks, one at a time: two at once may not fit into memory. Keeps the last
/// model, since the next task often uses the same. Threads: one.
class ModelKeeper {
 public:
  struct Options {
    /// Opens the file with that name. The parts of a split model are opened by their names in the
    /// same way.
    std::function<Result<OpenModelFile>(const std::string& name)> open =
        [](const std::string& name) -> Result<OpenModelFile> { return OpenModelFile(name); };
    int threads = 0;  ///< see LoadRequest, as for `settings`
    EngineSettings settings{};
    /// The engine that loads a file of this name.
    std::function<const Engine&(const std::filesystem::path& name)> engine_for;
  };

  explicit ModelKeeper(Options options) : options_(std::move(options)) {}

  /// Reads the header of that file without loading the model, and keeps it until the model is
  /// loaded, so that it is read only once. Errors: as make_ready().
  [[nodiscard]] Result<const ModelHeader*> read_header(const std::string& name);

  /// Other settings for the tasks that follow. A model that was loaded with others is loaded again.
  void use_settings(EngineSettings settings);

  struct Ready {
    LoadedModel* model = nullptr;  ///< valid until the next call
    bool is_new = false;           ///< it was loaded for this task
  };
  /// The model of that name. Reuses the last task's model if the file has not changed. Otherwise
  /// loads it and calls `progress` with the share that is loaded, 0–1. Errors: those of opening and
  /// loading.
  [[nodiscard]] Result<Ready> make_ready(const std::string& name, const std::stop_token& stop,
                                         const std::function<void(double)>& progress);

 private:
  Options options_;
  std::unique_ptr<LoadedModel> model_;
  std::unique_ptr<ModelHeader> header_;  // of the file header_of_
  std::string header_of_;
  std::string name_;                    // of model_
  std::optional<FileVersion> version_;  // of its file, taken before reading it
};

}  // namespace enprof
