// What enprof is compared with: the same generation with none of it.
#pragma once

#include "engines/llama/llama_engine.hpp"

#include <llama.h>

#include <memory>
#include <vector>

namespace enprof::bench {

/// How a generation looks at its graph's nodes.
enum class Callback : std::uint8_t {
  none,
  every_node,  ///< asks to see each node when it is computed, as llama-eval-callback does
};

/// One greedy generation through llama.cpp alone, with the calls and the context that
/// LlamaEngine::generate() makes, in its order. Every function throws std::runtime_error where
/// llama.cpp fails.
class PlainGeneration {
 public:
  PlainGeneration(const LlamaEngine& engine, std::vector<LlamaEngine::Token> prompt, int tokens,
                  int threads, Callback callback = Callback::none);
  PlainGeneration(const PlainGeneration&) = delete;
  PlainGeneration& operator=(const PlainGeneration&) = delete;
  ~PlainGeneration();

  /// The next output token, the first one from the prompt. Returns the seconds that it took.
  double next();

 private:
  const LlamaEngine& engine_;
  std::vector<LlamaEngine::Token> batch_;
  std::unique_ptr<llama_context, void (*)(llama_context*)> context_;
  std::unique_ptr<llama_sampler, void (*)(llama_sampler*)> sampler_;
};

}  // namespace enprof::bench
