// Facts about a loaded model, from llama.cpp and from its file.
#pragma once

#include "enprof/model/model_facts.hpp"

#include "engines/llama/gguf_check.hpp"

#include <ggml.h>

#include <cstdint>
#include <optional>

struct llama_model;

namespace enprof {

/// What the file says of a model that is not loaded. Empty: it does not say it in the usual place.
[[nodiscard]] ModelFacts file_facts(const CheckedModel& file);

/// Facts that do not depend on a run. Keys that hold one value per layer (head_count,
/// head_count_kv, feed_forward_length) are given as their maximum over the layers.
[[nodiscard]] ModelFacts read_model_facts(const CheckedModel& file, const llama_model& model);

/// Bytes of the KV cache for so many positions:
///   Σ over layers of  positions × kv_heads × (key_length × bytes of a key's type +
///                                             value_length × bytes of a value's type)
/// (llama_kv_cache in llama.cpp's src/llama-kv-cache.cpp: one K and one V tensor a layer;
/// sliding-window layers hold all positions too, for swa_full is the default).
/// Empty where that is not how the model keeps its past: recurrent and hybrid models, latent
/// attention (MLA), indexer caches, layers that share a cache or differ in head width.
[[nodiscard]] std::optional<std::uint64_t> kv_cache_bytes(const GgufMetadata& metadata,
                                                          const llama_model& model,
                                                          std::uint64_t positions,
                                                          ggml_type keys = GGML_TYPE_F16,
                                                          ggml_type values = GGML_TYPE_F16);

}  // namespace enprof
