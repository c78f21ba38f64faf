// The attention weights that flash attention never writes down.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enprof {

/// Weights of one evaluated FLASH_ATTN_EXT node, a row of `columns` for each head and query, heads
/// outermost; positions that a query may not see have 0.
struct AttentionWeights {
  std::vector<float> rows;
  std::vector<std::size_t> visible;  ///< by query: positions that it may see
  std::size_t columns = 0;
};

/// Computes them once more, from the queries and keys that the node was given:
///   p = softmax(cap(scale q·k) + slope × mask), cap(s) = c tanh(s / c) where there is a cap c
/// as ggml_flash_attn_ext() defines it; a sink adds its exponential to the sum alone. The inference
/// itself is left as it is. Costs about as much as the scores do; q in F32, where the CPU backend
/// rounds it to the keys' type. Call it before any of the tensors is written over.
/// False, and nothing is computed, for more than one stream or types that cannot be read.
[[nodiscard]] bool compute_attention_weights(const ggml_tensor& node, AttentionWeights& weights);

}  // namespace enprof
