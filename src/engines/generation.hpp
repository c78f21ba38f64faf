// One generation: the options for an engine, and its result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace enprof {

/// An engine refuses options that it does not support (sampling, a chat template, values).
struct GenerateOptions {
  /// A sampled pass takes up to twice as long: one in 64 costs at most 1.6 % of the time.
  static constexpr int kDefaultValuesEvery = 64;

  std::string prompt{};
  /// Above 0, for benchmarks: a prompt of this many tokens that mean nothing, which depend on
  /// `seed`, instead of those of the text. An engine that plays a script ignores it.
  int synthetic_prompt = 0;
  int max_tokens = 128;
  int context = 0;      ///< positions; 0: prompt and max_tokens, at most the trained context
  int threads = 0;      ///< 0: as when the model was loaded
  int batch = 0;        ///< tokens of the prompt at a time; 0: the engine's choice
  int micro_batch = 0;  ///< of these, tokens that are computed as one graph; 0: the engine's choice
  /// For benchmarks: so many tokens that mean nothing are in the context before the prompt, as
  /// after a long conversation. Putting them there belongs to pre_inference, section context_fill.
  int filled_context = 0;
  /// For benchmarks: so many sequences at a time, each with a prompt of its own and max_tokens of
  /// output. The tokens of a step follow each other in the run: the first bears the pass.
  int sequences = 1;
  std::string cache_type_k{};             ///< of the KV cache's keys: "q8_0"; empty: the engine's
  std::string cache_type_v{};             ///< of its values
  std::optional<bool> flash_attention{};  ///< empty: the engine's choice
  std::uint32_t seed = 0;
  float temperature = 0.0F;  ///< 0: greedy; seed, top_k and top_p are then ignored
  int top_k = 40;            ///< 0: all tokens
  float top_p = 0.95F;       ///< 1: all tokens
  bool chat = false;         ///< put the prompt into the model's chat template
  bool ignore_eos = false;   ///< go on after an end-of-generation token: for benchmarks
  /// Deep runs: the values of one decode pass in this many are sampled; 0: of no pass.
  int values_every = kDefaultValuesEvery;
  float sparsity_threshold = 0.01F;  ///< a value or attention weight below it counts as zero
  std::stop_token stop{};            ///< when a stop is requested, the generation ends soon
  /// Called with each output token's index and text, outside of the token's span. The text may be a
  /// part of a UTF-8 character. If it throws, it is not called again.
  std::function<void(std::size_t, std::string_view)> on_token{};
};

struct GenerateResult {
  std::string response;  ///< valid UTF-8: invalid bytes become U+FFFD
  std::size_t prompt_tokens = 0;
  std::size_t output_tokens = 0;
  std::string finish_reason;  ///< end_of_generation, length, context_full or cancelled
};

}  // namespace enprof
