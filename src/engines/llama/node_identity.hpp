// Which layer and which part of it an operation of llama.cpp's graph is, from what its tensors are
// called.
#pragma once

#include "enprof/model/operation.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace enprof {

/// What a graph says of one of its nodes. Views must outlive the call.
struct NodeFacts {
  std::string_view op;      ///< as ggml_op_desc() says it: MUL_MAT, SWIGLU, …
  std::string_view name;    ///< of its result: "Qcur-3"
  std::string_view weight;  ///< that it uses, "blk.3.attn_q.weight"; a bare norm's is that of the
                            ///< multiplication after it; empty where there is none
  std::string_view cache;   ///< state that it writes or moves: "cache_k_l3"; empty: none
  /// Components that its first two inputs come from, seen through views and copies; empty for what
  /// no operation made.
  std::array<std::string_view, 2> inputs{};
  bool selects_outputs = false;  ///< keeps the rows of which an output is wanted
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

/// The component is named, in this order, by an op that can only be one thing, by the state that it
/// keeps, by its weight, by its own name, by what its inputs are, and else by its op in lower case.
/// A weight that is not in the tables names its component itself, as the model's file does. The
/// layer comes from the weight, the state, the node's name, or its inputs.
///
/// Components, where they are not a weight's or an op's name: embedding, input_layernorm, q_proj,
/// k_proj, v_proj, qkv_proj, q_norm, k_norm, rope, kv_cache_store, attention (flash attention as
/// one) or qk_matmul, softmax, value_matmul and merge_heads, o_proj, residual,
/// post_attention_layernorm, gate_proj, up_proj, activation, down_proj, router, experts,
/// shared_expert, in_proj, conv1d, x_proj, dt_proj, ssm_scan, ssm_skip, ssm_norm, out_proj,
/// recurrent_state, final_norm, lm_head. A gate and an up projection in one matrix are up_proj, as
/// llama.cpp calls them.
/// Threads: any; pure.
[[nodiscard]] NodeIdentity identify_node(const NodeFacts& node);

/// "blk.3.attn_q.weight" → 3, "cache_k_l3 (view)" → 3, "Qcur-3 (view)" → 3, else kNoLayer.
[[nodiscard]] std::int32_t layer_in_name(std::string_view name) noexcept;

/// "blk.3.attn_q.weight" → "attn_q", "output_norm.bias" → "output_norm".
[[nodiscard]] std::string_view weight_class(std::string_view weight) noexcept;

}  // namespace enprof
