// The interface of an engine: which files are its models, how to load one, and how to generate
// under a run's scopes. Commands and the server know engines only by this; registry/ lists them.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/component_replay.hpp"
#include "engines/generation.hpp"
#include "engines/open_as.hpp"
#include "engines/text_score.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace enprof {

/// A setting that only this engine has. A command offers it as an option and passes on the user's
/// value, without knowing its meaning.
struct EngineSetting {
  std::string_view name;   ///< "gpu_layers"
  std::string_view flags;  ///< as an option on a command line: "--ngl,--gpu-layers"
  std::string_view help;   ///< one line
  std::int64_t least = 0;
  std::int64_t most = 1;
  std::int64_t usual = 0;
  /// Whether the option takes no value: naming it chooses the value that is not the usual one.
  bool is_flag = false;
};

/// Values of an engine's settings by name; a missing one has its usual value.
using EngineSettings = std::map<std::string, std::int64_t, std::less<>>;

/// What a model's file says, without loading the model. An engine derives its own class from it,
/// with data that it then need not read again.
struct ModelHeader {
  /// Positions that the model was trained with; empty if its file does not say.
  std::optional<std::int64_t> trained_context{};
  /// Those that do not depend on how the model is loaded, as far as its file says them.
  ModelFacts facts{};

  ModelHeader() = default;
  ModelHeader(const ModelHeader&) = delete;
  ModelHeader& operator=(const ModelHeader&) = delete;
  virtual ~ModelHeader() = default;
};

/// A request to load a model.
struct LoadRequest {
  std::filesystem::path path;  ///< also used in messages
  int threads = 0;             ///< 0: the engine chooses
  EngineSettings settings{};   ///< of the engine that loads it
  /// What this engine read from the same file just before; null: it reads the file itself.
  std::unique_ptr<ModelHeader> header{};
  OpenAs open_as{};                        ///< see open_as.hpp; if empty, by its own path
  std::function<void(double)> progress{};  ///< called with the loaded share, 0–1, on this thread
  std::stop_token stop{};                  ///< when a stop is requested, loading ends soon
};

/// A loaded model. Threads: one generation at a time; other calls from any thread.
class LoadedModel {
 public:
  LoadedModel() = default;
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;
  virtual ~LoadedModel() = default;

  /// Facts that do not depend on a run; a generation adds those of its options.
  [[nodiscard]] virtual const ModelFacts& facts() const noexcept = 0;
  /// The most output tokens that a generation can make: for the size of a run's memory.
  [[nodiscard]] virtual std::size_t most_output_tokens(
      const GenerateOptions& options) const noexcept = 0;
  /// Generates, and writes into the run: its phases, sections and tokens, its model, prompt tokens,
  /// response and finish reason; passes come from hooks, see attach_profiler(). Errors:
  /// invalid_argument, too_large and unsupported for a request that this model cannot serve; other
  /// codes if the work failed: the part that was generated then stays in the run.
  [[nodiscard]] virtual Result<GenerateResult> generate(RunScope& run,
                                                        const GenerateOptions& options) = 0;
  /// False after what ran the model is gone: load it again.
  [[nodiscard]] virtual bool is_usable() const noexcept { return true; }
  /// The CPU threads of a generation for which so many were chosen; 0: not known.
  [[nodiscard]] virtual int threads(int chosen) const noexcept { return chosen; }
  /// Tells the probabilities of a text's tokens. Errors: unsupported, unless the engine can do
  /// that; invalid_argument for a text that is too short; cancelled; internal.
  [[nodiscard]] virtual Result<ScoreResult> score(const ScoreRequest& /*request*/) {
    return fail(ErrorCode::unsupported, "This engine has no probabilities of tokens");
  }
  /// Makes the model's classes of work ready to run alone; runs a pass of each phase. Errors:
  /// unsupported, unless the engine can do that, and for this model as it is loaded; cancelled;
  /// those of generate().
  [[nodiscard]] virtual Result<std::unique_ptr<ComponentReplay>> prepare_replay(
      const ReplayOptions& /*options*/) {
    return fail(ErrorCode::unsupported, "This engine cannot run the components of a model alone");
  }
};

/// Threads: any, const.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// A name for people: "llama.cpp".
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// The ending of its models' files, in lower case: ".gguf".
  [[nodiscard]] virtual std::string_view suffix() const noexcept = 0;
  /// Whether a file of this name, which ends with the suffix, is a model that a user may choose:
  /// not a later part of a split model, nor a part that does not generate.
  [[nodiscard]] virtual bool is_model_name(std::string_view file_name) const = 0;
  /// Its settings beside those that all engines have.
  [[nodiscard]] virtual std::span<const EngineSetting> settings() const noexcept = 0;
  /// Reads what a model's file says, without loading the model. Errors: as load().
  [[nodiscard]] virtual Result<std::unique_ptr<ModelHeader>> read_header(
      const std::filesystem::path& path) const = 0;
  /// Errors: not_found, corrupt, unsupported, too_large, cancelled, invalid_argument; each says
  /// what failed, and what to do.
  [[nodiscard]] virtual Result<std::unique_ptr<LoadedModel>> load(LoadRequest request) const = 0;
};

}  // namespace enprof
