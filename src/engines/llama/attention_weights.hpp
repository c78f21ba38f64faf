// Computes the attention weights, which flash attention does not store.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enprof {

/// The weights of one evaluated FLASH_ATTN_EXT node: a row of `columns` for each head and query,
/// heads outermost. Positions that a query may not see have 0.
struct AttentionWeights {
  std::vector<float> rows;
  std::vector<std::size_t> visible;  ///< by query: the number of positions that it may see
  std::size_t columns = 0;
};

/// Computes them again, from the queries and keys that the node was given:
///   p = softmax(cap(scale q·k) + slope × mask), cap(s) = c tanh(s / c) if there is a cap c
/// as ggml_flash_attn_ext() defines it; a sink adds its exponential only to the sum. The inference
/// is not changed. Costs about as much as computing the scores; q is used in F32, while the CPU
/// backend rounds it to the keys' type. Call it before any of the tensors is overwritten.
/// False, without a result, for more than one stream or types that cannot be read.
[[nodiscard]] bool compute_attention_weights(const ggml_tensor& node, AttentionWeights& weights);

}  // namespace enprof
