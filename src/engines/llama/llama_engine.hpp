// llama.cpp as enprof's engine: loads a GGUF model and generates text under a run's scopes.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/component_replay.hpp"
#include "engines/generation.hpp"
#include "engines/llama/llama_model_file.hpp"
#include "engines/open_as.hpp"
#include "engines/text_score.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

struct llama_model;

namespace enprof {

struct CheckedModel;

struct LoadOptions {
  int gpu_layers = -1;  ///< layers to offload (-ngl); negative: all. ignored without a GPU
  int threads = 0;      ///< 0: default_threads()
  bool warm_up = true;  ///< decode two tokens before, so that page faults are not in the first pass
  std::function<void(float)> progress{};        ///< 0–1, on the loading thread
  std::stop_token stop{};                       ///< when a stop is requested, loading ends soon
  std::optional<std::uint64_t> memory_bytes{};  ///< instead of usable_memory(), for tests
  OpenAs open_as{};                             ///< see open_as.hpp; if empty, by its own path
};

/// A loaded model.
/// Threads: one generation at a time; facts(), tokenize() and apply_chat_template() from any.
class LlamaEngine {
 public:
  using Token = std::int32_t;

  /// Errors: those of check_model(); too_large if the weights exceed the memory and none are
  /// offloaded; unsupported for an architecture that llama.cpp does not know or that does not
  /// generate text (encoders, encoder-decoders, diffusion); cancelled; invalid_argument.
  [[nodiscard]] static Result<LlamaEngine> load(const std::filesystem::path& path,
                                                const LoadOptions& options = {});
  /// The same for a file whose header was read already.
  [[nodiscard]] static Result<LlamaEngine> load(LlamaModelFile file,
                                                const LoadOptions& options = {});
  LlamaEngine(LlamaEngine&& other) noexcept;
  LlamaEngine& operator=(LlamaEngine&& other) noexcept;
  ~LlamaEngine();

  /// Facts that do not depend on a run; generate() adds context, KV cache and threads.
  [[nodiscard]] const ModelFacts& facts() const noexcept;
  /// The most output tokens that a generation can make: as many as the options allow, and as fit
  /// into the context. For the size of a run's memory.
  [[nodiscard]] std::size_t most_output_tokens(const GenerateOptions& options) const noexcept;
  /// llama.cpp's own object, for functions without a wrapper; lives as long as the engine.
  [[nodiscard]] llama_model* model() const noexcept;

  /// The tokens of a text, with the model's special tokens (begin of sequence) and those that the
  /// text spells out. Errors: invalid_argument for a text that is empty or not UTF-8 (with the
  /// offset of its first bad byte); too_large.
  [[nodiscard]] Result<std::vector<Token>> tokenize(std::string_view text) const;

  /// So many tokens that mean nothing, the same for the same seed: the begin of a sequence where
  /// the model wants one, then text tokens by chance.
  [[nodiscard]] std::vector<Token> synthetic_prompt(std::size_t count, std::uint32_t seed) const;

  /// The prompt as a user's message in the model's own chat template, up to the start of the
  /// answer. Errors: unsupported if the model has no template, or one that llama.cpp does not know.
  [[nodiscard]] Result<std::string> apply_chat_template(std::string_view prompt) const;

  /// Generates, and writes into the run:
  ///   pre_inference   sections tokenization (with the chat template) and kv_cache_setup
  ///   prefill         section forward, then output token 0 with sections sampling and
  ///                   detokenization
  ///   decode          a token each, with sections forward, sampling and detokenization
  ///   post_inference  sections detokenization (of the whole response) and cleanup
  /// and sets the run's model, prompt tokens, response and finish reason. A token that ends the
  /// generation is discarded. At depth module and deep, each graph that llama.cpp evaluates is a
  /// pass; at deep, values are sampled. Warnings: context_beyond_training, output_not_finite,
  /// and LayerProfiler's.
  /// Errors: those of tokenize() and apply_chat_template(); invalid_argument for invalid options;
  /// too_large if the prompt exceeds the context, or the KV cache the memory; internal with
  /// llama.cpp's code if a decode fails: the part that was generated then stays in the run.
  [[nodiscard]] Result<GenerateResult> generate(RunScope& run, const GenerateOptions& options);

  /// The probabilities of a text's tokens. Errors: those of tokenize() and score_tokens().
  [[nodiscard]] Result<ScoreResult> score(const ScoreRequest& request) const;

  /// The threads of a generation with this option.
  [[nodiscard]] int threads(int chosen) const noexcept;
  /// The model's operations, ready to run alone, class by class. Errors: unsupported if a GPU
  /// computes the model; those of LlamaComponentReplay::prepare().
  [[nodiscard]] Result<std::unique_ptr<ComponentReplay>> prepare_replay(
      const ReplayOptions& options);

 private:
  struct Impl;
  friend class LlamaGeneration;
  explicit LlamaEngine(std::unique_ptr<Impl> impl) noexcept;
  [[nodiscard]] static Result<LlamaEngine> load_checked(CheckedModel file,
                                                        const LoadOptions& options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
