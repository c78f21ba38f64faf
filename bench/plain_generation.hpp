// The baseline of comparisons: the same generation without enprof.
#pragma once

#include "engines/llama/llama_engine.hpp"

#include <llama.h>

#include <memory>
#include <vector>

namespace enprof::bench {

/// Whether a generation has a callback for its graph's nodes.
enum class Callback : std::uint8_t {
  none,
  every_node,  ///< is called for each computed node, as llama-eval-callback is
};

/// One greedy generation with llama.cpp only, with the same calls and context as
/// LlamaEngine::generate(), in the same order. Every function throws std::runtime_error if
/// llama.cpp fails.
class PlainGeneration {
 public:
  PlainGeneration(const LlamaEngine& engine, std::vector<LlamaEngine::Token> prompt, int tokens,
                  int threads, Callback callback = Callback::none);
  PlainGeneration(const PlainGeneration&) = delete;
  PlainGeneration& operator=(const PlainGeneration&) = delete;
  ~PlainGeneration();

  /// Computes the next output token (the first one from the prompt). Returns its time in seconds.
  double next();

 private:
  const LlamaEngine& engine_;
  std::vector<LlamaEngine::Token> batch_;
  std::unique_ptr<llama_context, void (*)(llama_context*)> context_;
  std::unique_ptr<llama_sampler, void (*)(llama_sampler*)> sampler_;
};

}  // namespace enprof::bench
