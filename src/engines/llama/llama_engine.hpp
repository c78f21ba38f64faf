// llama.cpp as enprof's engine: loads a GGUF model and generates text under a run's scopes.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/llama/llama_model_file.hpp"
#include "engines/llama/open_as.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct llama_model;

namespace enprof {

struct LoadOptions {
  int gpu_layers = -1;  ///< layers to offload (-ngl); negative: all. Without a GPU it means nothing
  int threads = 0;      ///< 0: default_threads()
  bool warm_up = true;  ///< decode two tokens, so that the first measured pass is not page faults
  std::function<void(float)> progress{};        ///< 0–1, on the loading thread
  const std::atomic<bool>* cancel = nullptr;    ///< when set, loading ends soon
  std::optional<std::uint64_t> memory_bytes{};  ///< instead of usable_memory(), for tests
  OpenAs open_as{};                             ///< see open_as.hpp; by its own path if empty
};

struct GenerateOptions {
  /// A pass that is looked at takes up to twice as long: at this it is 1.6 % of the time.
  static constexpr int kDefaultValuesEvery = 64;

  std::string prompt;
  int max_tokens = 128;
  int context = 0;  ///< positions; 0: prompt and max_tokens, at most the trained context
  int threads = 0;  ///< 0: as loaded
  std::uint32_t seed = 0;
  float temperature = 0.0F;  ///< 0: greedy, and the three below mean nothing
  int top_k = 40;            ///< 0: all tokens
  float top_p = 0.95F;       ///< 1: all tokens
  bool chat = false;         ///< put the prompt into the model's chat template
  bool ignore_eos = false;   ///< go on after an end-of-generation token: for benchmarks
  /// Deep runs: one decode pass in so many has its values looked at; 0: none.
  int values_every = kDefaultValuesEvery;
  float sparsity_threshold = 0.01F;  ///< below it a value or an attention weight counts as none
  const std::atomic<bool>* cancel = nullptr;  ///< when set, the generation ends soon
  /// Each output token's index and text as it comes, outside of the token's span. The text may be a
  /// part of a UTF-8 character. One that throws is not called again.
  std::function<void(std::size_t, std::string_view)> on_token{};
};

struct GenerateResult {
  std::string response;  ///< valid UTF-8: stray bytes are U+FFFD
  std::size_t prompt_tokens = 0;
  std::size_t output_tokens = 0;
  std::string finish_reason;  ///< end_of_generation, length, context_full or cancelled
};

/// A loaded model.
/// Threads: one generation at a time; facts(), tokenize() and apply_chat_template() from any.
class LlamaEngine {
 public:
  using Token = std::int32_t;

  /// Errors: those of check_model(); too_large where the weights exceed the memory and none are
  /// offloaded; unsupported for an architecture that llama.cpp does not know or that does not
  /// generate text (encoders, encoder-decoders, diffusion); cancelled; invalid_argument.
  [[nodiscard]] static Result<LlamaEngine> load(const std::filesystem::path& path,
                                                const LoadOptions& options = {});
  /// The same where the file's header was read already.
  [[nodiscard]] static Result<LlamaEngine> load(LlamaModelFile file,
                                                const LoadOptions& options = {});
  LlamaEngine(LlamaEngine&& other) noexcept;
  LlamaEngine& operator=(LlamaEngine&& other) noexcept;
  ~LlamaEngine();

  /// What does not depend on a run; generate() adds context, KV cache and threads.
  [[nodiscard]] const ModelFacts& facts() const noexcept;
  /// Output tokens that a generation can make at most: as many as were asked for, and as the
  /// context has room for. Sizes the memory of a run.
  [[nodiscard]] std::size_t most_output_tokens(const GenerateOptions& options) const noexcept;
  /// llama.cpp's own, for what is not wrapped here; lives as long as the engine.
  [[nodiscard]] llama_model* model() const noexcept;

  /// With the model's special tokens (begin of sequence), and those that the text spells out.
  /// Errors: invalid_argument for a text that is empty or not UTF-8 (with the offset of its first
  /// bad byte); too_large.
  [[nodiscard]] Result<std::vector<Token>> tokenize(std::string_view text) const;

  /// The prompt as a user's message in the model's own chat template, up to where the answer
  /// begins. Errors: unsupported where the model has no template, or one that llama.cpp does not
  /// know.
  [[nodiscard]] Result<std::string> apply_chat_template(std::string_view prompt) const;

  /// Generates, and writes into the run:
  ///   pre_inference   sections tokenization (with the chat template) and kv_cache_setup
  ///   prefill         section forward, then output token 0 with sections sampling and
  ///                   detokenization
  ///   decode          a token each, with sections forward, sampling and detokenization
  ///   post_inference  sections detokenization (of the whole response) and cleanup
  /// and sets the run's model, prompt tokens, response and finish reason. A token that ends the
  /// generation is discarded. At module depth and below, each graph that llama.cpp evaluates is a
  /// pass; at deep, values are sampled. Warnings: context_beyond_training, output_not_finite,
  /// components_only, tokens_only.
  /// Errors: those of tokenize() and apply_chat_template(); invalid_argument for options that make
  /// no sense; too_large where the prompt exceeds the context, or the KV cache the memory; internal
  /// with llama.cpp's code where a decode fails: what was generated by then stays in the run.
  [[nodiscard]] Result<GenerateResult> generate(RunScope& run, const GenerateOptions& options);

 private:
  struct Impl;
  friend class LlamaGeneration;
  explicit LlamaEngine(std::unique_ptr<Impl> impl) noexcept;
  [[nodiscard]] static Result<LlamaEngine> load_checked(CheckedModel file,
                                                        const LoadOptions& options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
