// The members of LlamaEngine, shared with LlamaGeneration.
#pragma once

#include "engines/llama/filled_contexts.hpp"
#include "engines/llama/gguf_check.hpp"
#include "engines/llama/llama_engine.hpp"
#include "engines/llama/llama_handles.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace enprof {

struct LlamaEngine::Impl {
  LlamaModelPtr model;
  GgufMetadata metadata;
  ModelFacts facts;
  std::optional<int> learned_positions;  // see CheckedModel
  int threads = 1;
  bool offloaded = false;                     // some layers lie in a GPU's memory
  std::optional<std::uint64_t> memory_bytes;  // memory that the process may use
  std::size_t longest_piece = 0;              // bytes of the longest token's text
  std::size_t graph_nodes = 0;                // counted by the warm-up; 0 without one
  FilledContexts filled;

  /// The positions that the model was trained with, but at most those that it has learned.
  [[nodiscard]] int longest_context() const noexcept {
    constexpr int kAny = std::numeric_limits<int>::max();
    return std::min(facts.context_trained.value_or(kAny), learned_positions.value_or(kAny));
  }
  [[nodiscard]] const llama_vocab* vocab() const noexcept {
    return llama_model_get_vocab(model.get());
  }
};

}  // namespace enprof
