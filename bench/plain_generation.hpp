// What enprof is compared with: the same generation with none of it.
#pragma once

#include "engines/llama/llama_engine.hpp"

#include <optional>
#include <string>
#include <vector>

namespace enprof::bench {

/// Seconds that the parts of one generation took.
struct PhaseTimes {
  double prefill = 0.0;  ///< to the first output token, this one included
  double decode = 0.0;   ///< all further tokens
};

/// How a generation looks at its graph's nodes.
enum class Callback : std::uint8_t {
  none,
  every_node,  ///< asks to see each node when it is computed, as llama-eval-callback does
};

/// One greedy generation through llama.cpp alone, with the calls and the context that
/// LlamaEngine::generate() makes, in its order. Throws std::runtime_error where llama.cpp fails.
[[nodiscard]] PhaseTimes generate_plainly(const LlamaEngine& engine,
                                          const std::vector<LlamaEngine::Token>& prompt, int tokens,
                                          int threads, Callback callback);

}  // namespace enprof::bench
