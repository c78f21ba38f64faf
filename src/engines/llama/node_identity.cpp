#include "engines/llama/node_identity.hpp"

#include "base/lower_case.hpp"
#include "model/component_family.hpp"

#include <algorithm>
#include <optional>
#include <span>

namespace enprof {
namespace {

constexpr std::string_view kLayerPrefix = "blk.";
constexpr std::string_view kCacheLayer = "_l";

struct Rule {
  std::string_view key;
  std::string_view component;
};

/// Ops that have only one meaning, whatever the node's name is.
constexpr std::array kByOp{
    Rule{"ROPE", "rope"},
    Rule{"FLASH_ATTN_EXT", "attention"},
    Rule{"SSM_SCAN", "ssm_scan"},
    Rule{"SSM_CONV", "conv1d"},
};

/// Weights by their class. Left: names of llama.cpp's src/llama-arch.cpp; right: names of the
/// models' own implementations in Hugging Face transformers.
constexpr std::array kByWeight{
    Rule{"token_embd", "embedding"},
    Rule{"token_embd_norm", "embedding"},
    Rule{"token_types", "embedding"},
    Rule{"position_embd", "embedding"},
    Rule{"output_norm", "final_norm"},
    Rule{"output", "lm_head"},
    Rule{"attn_norm", "input_layernorm"},
    Rule{"attn_norm_2", "input_layernorm"},
    Rule{"attn_q", "q_proj"},
    Rule{"attn_k", "k_proj"},
    Rule{"attn_v", "v_proj"},
    Rule{"attn_qkv", "qkv_proj"},
    Rule{"attn_q_norm", "q_norm"},
    Rule{"attn_k_norm", "k_norm"},
    Rule{"attn_output", "o_proj"},
    Rule{"ffn_norm", "post_attention_layernorm"},
    Rule{"post_attention_norm", "post_attention_layernorm"},
    Rule{"post_ffw_norm", "post_feedforward_layernorm"},
    Rule{"ffn_gate", "gate_proj"},
    Rule{"ffn_up", "up_proj"},
    Rule{"ffn_down", "down_proj"},
    Rule{"ffn_gate_inp", "router"},
    Rule{"exp_probs_b", "router"},
    Rule{"ffn_gate_exps", "experts"},
    Rule{"ffn_up_exps", "experts"},
    Rule{"ffn_gate_up_exps", "experts"},
    Rule{"ffn_down_exps", "experts"},
    Rule{"ffn_gate_shexp", "shared_expert"},
    Rule{"ffn_up_shexp", "shared_expert"},
    Rule{"ffn_down_shexp", "shared_expert"},
    Rule{"ffn_gate_inp_shexp", "shared_expert"},
    Rule{"ssm_in", "in_proj"},
    Rule{"ssm_conv1d", "conv1d"},
    Rule{"ssm_x", "x_proj"},
    Rule{"ssm_dt", "dt_proj"},
    Rule{"ssm_d", "ssm_skip"},
    Rule{"ssm_out", "out_proj"},
};

/// Nodes by the name that llama.cpp's src/llama-graph.cpp and src/models give them, without the
/// layer. "Ops" restricts a rule if a name is used for more than one thing.
struct NameRule {
  std::string_view name;
  std::string_view component;
  std::string_view op{};  ///< empty: any
};
constexpr std::array kByName{
    NameRule{"inp_scaled", "embedding"},
    NameRule{"inpL", "embedding"},
    NameRule{"pos_embd", "embedding"},
    NameRule{"attn_norm", "input_layernorm", "NORM"},
    NameRule{"attn_norm", "input_layernorm", "RMS_NORM"},
    NameRule{"ffn_norm", "post_attention_layernorm", "NORM"},
    NameRule{"ffn_norm", "post_attention_layernorm", "RMS_NORM"},
    NameRule{"kq", "qk_matmul", "MUL_MAT"},
    NameRule{"kq_scaled", "softmax"},
    NameRule{"kq_scaled_1", "softmax"},
    NameRule{"kq_scaled_2", "softmax"},
    NameRule{"kq_tanh", "softmax"},
    NameRule{"kq_plus_kq_b", "softmax"},
    NameRule{"kq_soft_max", "softmax"},
    NameRule{"v_cont", "value_matmul"},
    NameRule{"kqv", "value_matmul", "MUL_MAT"},
    NameRule{"kqv_out", "merge_heads", "CONT"},
    NameRule{"ffn_inp", "residual", "ADD"},
    NameRule{"sa_out", "residual", "ADD"},
    NameRule{"l_out", "residual", "ADD"},
    NameRule{"ffn_gate_par", "activation", "MUL"},
    NameRule{"result_norm", "final_norm"},
    NameRule{"result_output", "lm_head"},
};

/// The same for prefixes of names, longer ones first.
constexpr std::array kByNamePrefix{
    Rule{"ffn_moe_logits", "router"},  Rule{"ffn_moe_probs", "router"},
    Rule{"ffn_moe_argsort", "router"}, Rule{"ffn_moe_topk", "router"},
    Rule{"ffn_moe_group", "router"},   Rule{"ffn_moe_weights", "router"},
    Rule{"ffn_moe_", "experts"},       Rule{"ffn_shexp", "shared_expert"},
};

// Reports group components into families: each component named here must have one.
template <class Rules>
consteval bool have_families(const Rules& rules) {
  return std::ranges::all_of(
      rules, [](const auto& rule) { return component_family(rule.component) != kOtherFamily; });
}
static_assert(have_families(kByOp) && have_families(kByWeight) && have_families(kByName) &&
              have_families(kByNamePrefix));

using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, 11> kActivations{
    "SILU",   "GELU",  "GELU_QUICK", "GELU_ERF",    "RELU",      "GEGLU",
    "SWIGLU", "REGLU", "GEGLU_ERF",  "GEGLU_QUICK", "SWIGLU_OAI"};
/// The residual stream.
constexpr std::array<std::string_view, 2> kStream{"residual", "embedding"};
/// The components whose results blocks add to it.
constexpr std::array<std::string_view, 5> kBlockOutputs{"o_proj", "down_proj", "experts",
                                                        "shared_expert", "out_proj"};
/// A node whose inputs are only these belongs to the same component.
constexpr std::array<std::string_view, 2> kClosed{"router", "lm_head"};
/// The two parts of a mixture of experts.
constexpr std::array<std::string_view, 2> kExperts{"experts", "shared_expert"};

bool is_one_of(std::string_view name, Names names) {
  return std::ranges::find(names, name) != names.end();
}

std::optional<std::string_view> find(std::span<const Rule> rules, std::string_view key) {
  const auto found = std::ranges::find(rules, key, &Rule::key);
  return found == rules.end() ? std::nullopt : std::optional(found->component);
}

/// The number at the begin of `text`; kNoLayer if there is none, or if it cannot be a layer's.
std::int32_t leading_number(std::string_view text) noexcept {
  constexpr std::int32_t kMost = 1'000'000;
  std::int32_t number = OperationInfo::kNoLayer;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') {
      break;
    }
    number = std::max(number, 0) * 10 + (digit - '0');
    if (number > kMost) {
      return OperationInfo::kNoLayer;
    }
  }
  return number;
}

/// "Qcur-3 (view)" → "Qcur-3".
std::string_view without_view(std::string_view name) noexcept {
  return name.substr(0, name.find(" ("));
}

/// "Qcur-3 (view)" → "Qcur".
std::string_view stem(std::string_view name) noexcept {
  name = without_view(name);
  return layer_in_name(name) == OperationInfo::kNoLayer ? name : name.substr(0, name.rfind('-'));
}

std::optional<std::string_view> by_cache(const NodeFacts& node) {
  if (node.cache.starts_with("cache_r") || node.cache.starts_with("cache_s")) {
    return "recurrent_state";
  }
  return node.cache.empty() ? std::nullopt : std::optional<std::string_view>("kv_cache_store");
}

std::optional<std::string_view> by_weight(const NodeFacts& node) {
  if (node.weight.empty()) {
    return std::nullopt;
  }
  const std::string_view name = weight_class(node.weight);
  if (name == "token_embd" && node.op == "MUL_MAT") {
    return "lm_head";  // the embedding and lm_head share a matrix
  }
  if (name == "ffn_norm" && node.norm_after_attention) {
    return "pre_feedforward_layernorm";
  }
  return find(kByWeight, name).value_or(name);
}

std::optional<std::string_view> by_name(const NodeFacts& node) {
  const std::string_view name = stem(node.name);
  for (const NameRule& rule : kByName) {
    if (name == rule.name && (rule.op.empty() || rule.op == node.op)) {
      return rule.component;
    }
  }
  for (const Rule& rule : kByNamePrefix) {
    if (name.starts_with(rule.key)) {
      return rule.component;
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> by_inputs(const NodeFacts& node) {
  const auto& [first, second] = node.inputs;
  if (is_one_of(node.op, kActivations)) {
    const bool of_experts = is_one_of(first, kExperts) && (second.empty() || second == first);
    return of_experts ? first : std::string_view("activation");
  }
  if (is_one_of(first, kClosed) && (second.empty() || second == first)) {
    return first;
  }
  if (node.op == "SCALE" && first == "embedding") {
    return first;
  }
  if (node.op != "ADD" || first.empty() || second.empty()) {
    return std::nullopt;
  }
  if (is_one_of(first, kExperts) && is_one_of(second, kExperts)) {
    return "experts";  // the sum of the weighted experts
  }
  const auto in_stream = [](std::string_view name) {
    return is_one_of(name, kStream) || is_one_of(name, kBlockOutputs);
  };
  return in_stream(first) && in_stream(second) ? std::optional<std::string_view>("residual")
                                               : std::nullopt;
}

/// Whether the weight or the name says that a node lies outside of the layers.
bool is_outside(const NodeFacts& node, std::string_view component) {
  if (!node.weight.empty()) {
    return layer_in_name(node.weight) == OperationInfo::kNoLayer &&
           find(kByWeight, weight_class(node.weight)).has_value();
  }
  return component == "final_norm" || component == "lm_head";
}

std::int32_t layer_of(const NodeFacts& node, std::string_view component) {
  if (is_outside(node, component)) {
    return OperationInfo::kNoLayer;
  }
  for (const std::string_view name : {node.weight, node.cache, node.name}) {
    if (const std::int32_t layer = layer_in_name(name); layer != OperationInfo::kNoLayer) {
      return layer;
    }
  }
  // The stream's rows come from the previous layer, but this layer selects them.
  return node.selects_outputs ? node.previous_layer : node.input_layer;
}

}  // namespace

std::int32_t layer_in_name(std::string_view name) noexcept {
  if (name.starts_with(kLayerPrefix)) {
    return leading_number(name.substr(kLayerPrefix.size()));
  }
  if (name.starts_with("cache_")) {
    const std::size_t mark = without_view(name).rfind(kCacheLayer);
    return mark == std::string_view::npos ? OperationInfo::kNoLayer
                                          : leading_number(name.substr(mark + kCacheLayer.size()));
  }
  name = without_view(name);
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) {
    return OperationInfo::kNoLayer;
  }
  const std::string_view digits = name.substr(dash + 1);
  if (digits.empty() || !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) {
    return OperationInfo::kNoLayer;
  }
  return leading_number(digits);
}

std::string_view weight_class(std::string_view weight) noexcept {
  if (weight.starts_with(kLayerPrefix) && layer_in_name(weight) != OperationInfo::kNoLayer) {
    weight.remove_prefix(std::min(weight.size(), weight.find('.', kLayerPrefix.size()) + 1));
  }
  for (const std::string_view suffix : {".weight", ".bias", ".scale", ".input_scale"}) {
    if (weight.ends_with(suffix)) {
      weight.remove_suffix(suffix.size());
      break;
    }
  }
  return weight;
}

NodeIdentity identify_node(const NodeFacts& node) {
  std::optional<std::string_view> component = find(kByOp, node.op);
  for (const auto rule : {by_cache, by_weight, by_name, by_inputs}) {
    if (!component) {
      component = rule(node);
    }
  }
  NodeIdentity identity;
  identity.component = component ? std::string(*component) : lower_case(node.op);
  identity.layer = layer_of(node, identity.component);
  return identity;
}

}  // namespace enprof
