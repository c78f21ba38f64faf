// Identifies the layer and the component of an operation in llama.cpp's graph, from the names of
// its tensors.
#pragma once

#include "enprof/model/operation.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace enprof {

/// The facts about a node of a graph. The views must outlive the call.
struct NodeFacts {
  std::string_view op;      ///< from ggml_op_desc(): MUL_MAT, SWIGLU, …
  std::string_view name;    ///< of its result: "Qcur-3"
  std::string_view weight;  ///< the weight it uses, "blk.3.attn_q.weight"; for a norm, that of the
                            ///< multiplication after it; empty if there is none
  std::string_view cache;   ///< the state it writes or moves: "cache_k_l3"; empty if none
  /// Components that its first two inputs come from, seen through views and copies; empty if an
  /// input is not the result of an operation.
  std::array<std::string_view, 2> inputs{};
  bool norm_after_attention = false;  ///< its layer has a norm between o_proj and the residual
  bool selects_outputs = false;       ///< keeps only the rows that need an output
  /// The highest layer among its inputs.
  std::int32_t input_layer = OperationInfo::kNoLayer;
  /// The layer of the operation before it.
  std::int32_t previous_layer = OperationInfo::kNoLayer;
};

struct NodeIdentity {
  std::int32_t layer = OperationInfo::kNoLayer;
  std::string component;

  friend bool operator==(const NodeIdentity&, const NodeIdentity&) = default;
};

/// The component is determined by the first of these that identifies it: an op with only one
/// meaning, the state that it keeps, its weight, its own name, its inputs, else its op in lower
/// case. A weight that is not in the tables is itself the name of the component. The layer comes
/// from the weight, the state, the node's name, or its inputs.
///
/// Components that are not the name of a weight or op: embedding, input_layernorm, q_proj,
/// k_proj, v_proj, qkv_proj, q_norm, k_norm, rope, kv_cache_store, attention (flash attention as
/// one) or qk_matmul, softmax, value_matmul and merge_heads, o_proj, residual,
/// post_attention_layernorm, pre_feedforward_layernorm (where both are), gate_proj, up_proj,
/// activation, down_proj, router, experts, shared_expert, in_proj, conv1d, x_proj, dt_proj,
/// ssm_scan, ssm_skip, ssm_norm, out_proj, recurrent_state, final_norm, lm_head. A gate and an up
/// projection in one matrix are up_proj, as llama.cpp calls them. Threads: any; pure.
[[nodiscard]] NodeIdentity identify_node(const NodeFacts& node);

/// "blk.3.attn_q.weight" → 3, "cache_k_l3 (view)" → 3, "Qcur-3 (view)" → 3, else kNoLayer.
[[nodiscard]] std::int32_t layer_in_name(std::string_view name) noexcept;

/// "blk.3.attn_q.weight" → "attn_q", "output_norm.bias" → "output_norm".
[[nodiscard]] std::string_view weight_class(std::string_view weight) noexcept;

}  // namespace enprof
