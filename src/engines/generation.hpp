// One generation: what is asked of an engine, and what it says of it afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

namespace enprof {

/// Of what an engine cannot do (sampling, a chat template, values) it refuses what was asked for.
struct GenerateOptions {
  /// A pass that is looked at takes up to twice as long: at this it is 1.6 % of the time.
  static constexpr int kDefaultValuesEvery = 64;

  std::string prompt{};
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
  std::stop_token stop{};            ///< when a stop is requested, the generation ends soon
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

}  // namespace enprof
