#include "engines/llama/value_sampler.hpp"

#include "engines/llama/tensor_values.hpp"
#include "record/tensor_statistics.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

/// From a component's last node back to its norm: a bias, the weights, the norm.
constexpr int kNormReach = 3;

const ggml_tensor* root_of(const ggml_tensor* tensor) noexcept {
  return tensor != nullptr && tensor->view_src != nullptr ? tensor->view_src : tensor;
}

bool is_router_part(const ggml_tensor& node) {
  const std::string_view name = node.name;
  return node.op == GGML_OP_ARGSORT || name.starts_with("ffn_moe_probs-") ||
         name.starts_with("ffn_moe_logits-");
}

/// Components whose result is not what they compute: a store's is all of the cache, a scan's its
/// state as well.
bool has_result(const OperationInfo& operation) {
  return operation.component != "kv_cache_store" && operation.component != "recurrent_state" &&
         operation.component != "ssm_scan" && operation.component != "router";
}

/// Whether an activation function after it is an MLP's.
bool is_mlp(std::string_view component) {
  return component == "gate_proj" || component == "up_proj" || component == "experts" ||
         component == "shared_expert";
}

const ggml_tensor* norm_before(const ggml_tensor& node) noexcept {
  const ggml_tensor* at = &node;
  for (int i = 0; i < kNormReach && at != nullptr; ++i) {
    if (at->op == GGML_OP_RMS_NORM || at->op == GGML_OP_NORM) {
      return at;
    }
    if (at->op != GGML_OP_MUL && at->op != GGML_OP_ADD) {
      return nullptr;
    }
    at = at->src[0];
  }
  return nullptr;
}

template <class T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

ValuePlan plan_values(GraphNodes nodes, const GraphPlan& graph) {
  ValuePlan roles(nodes.size());
  const auto& operations = graph.plan.operations;
  // Those that have an operation.
  boost::unordered_flat_map<const ggml_tensor*, std::uint32_t> node_of;
  node_of.reserve(operations.size());
  for (std::uint32_t operation = 0; operation < operations.size(); ++operation) {
    const std::uint32_t index = graph.nodes[operation];
    node_of.emplace(nodes[index], index);
    roles[index].operation = operation;
  }
  for (const std::uint32_t end : graph.component_ends) {
    const ggml_tensor& node = *nodes[graph.nodes[end]];
    ValueRoles& role = roles[graph.nodes[end]];
    role.activation = has_result(operations[end]) && is_readable(node) && ggml_nelements(&node) > 0;
    role.router = operations[end].component == "router";
  }
  for (std::uint32_t operation = 0; operation < operations.size(); ++operation) {
    const ggml_tensor& node = *nodes[graph.nodes[operation]];
    const std::string_view component = operations[operation].component;
    ValueRoles& role = roles[graph.nodes[operation]];
    role.scores = (node.op == GGML_OP_SOFT_MAX && component == "softmax" && is_readable(node)) ||
                  node.op == GGML_OP_FLASH_ATTN_EXT;
    role.router |= component == "router" && is_router_part(node);
    if (node.op == GGML_OP_GLU || node.op == GGML_OP_UNARY) {
      const auto source = node_of.find(root_of(node.src[0]));
      if (source != node_of.end() && is_readable(*source->first) &&
          is_mlp(operations[roles[source->second].operation].component)) {
        roles[source->second].pre_activation = true;
        roles[source->second].gate_is_half = node.op == GGML_OP_GLU && node.src[1] == nullptr;
      }
    }
  }
  return roles;
}

ValueSampler::ValueSampler(const Options& options) : options_(options) {
  kept_.every = options.every;
  kept_.sparsity_threshold = options.sparsity_threshold;
}

bool ValueSampler::is_due() noexcept {
  owed_ |= passes_++ % options_.every == 0;
  return owed_;
}

void ValueSampler::begin(Phase phase, std::int32_t token) noexcept {
  phase_ = phase;
  token_ = token;
  before_tensor_ = nullptr;
  kill_ratio_.reset();
  probabilities_.clear();
  order_.clear();
}

void ValueSampler::end(bool complete) {
  if (complete) {
    owed_ = false;
    ++kept_.passes;
    append(kept_.activations, present_.activations);
    append(kept_.attention, present_.attention);
    append(kept_.experts, present_.experts);
  }
  present_.activations.clear();
  present_.attention.clear();
  present_.experts.clear();
}

SampledValues ValueSampler::take() { return std::exchange(kept_, {}); }

void ValueSampler::read(const ggml_tensor& node, const ValueRoles& roles,
                        const OperationInfo& operation) {
  if (roles.router) {
    read_router(node, operation);
  }
  if (roles.scores) {
    read_scores(node, operation);
  }
  if (!roles.activation && !roles.pre_activation) {
    return;
  }
  read_tensor(node, bytes_, values_);
  // A shared expert has a gate of its own after the MLP's.
  if (roles.pre_activation && !(kill_ratio_ && kill_component_ == operation.component)) {
    kill_component_ = operation.component;
    if (roles.gate_is_half) {
      const auto width = static_cast<std::size_t>(node.ne[0]);
      std::vector<float> gate;
      for (std::size_t row = 0; row < values_.size(); row += width) {
        const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(row);
        gate.insert(gate.end(), begin, begin + static_cast<std::ptrdiff_t>(width / 2));
      }
      kill_ratio_ = kill_ratio(gate);
    } else {
      kill_ratio_ = kill_ratio(values_);
    }
  }
  if (roles.activation) {
    read_activation(node, operation);
  }
}

void ValueSampler::read_activation(const ggml_tensor& node, const OperationInfo& operation) {
  const auto statistics = activation_statistics(values_, options_.sparsity_threshold);
  if (statistics) {
    ActivationValues activation{.phase = phase_,
                                .token = token_,
                                .layer = operation.layer,
                                .component = operation.component,
                                .mean = statistics->mean,
                                .standard_deviation = statistics->standard_deviation,
                                .maximum = statistics->maximum,
                                .sparsity = statistics->sparsity,
                                .kill_ratio = {},
                                .variance_ratio = {}};
    if (kill_ratio_ && kill_component_ == operation.component) {
      activation.kill_ratio = std::exchange(kill_ratio_, std::nullopt);
    }
    if (const ggml_tensor* norm = norm_before(node);
        norm != nullptr && before_tensor_ != nullptr && root_of(norm->src[0]) == before_tensor_) {
      activation.variance_ratio = variance_ratio(before_, values_);
    }
    present_.activations.push_back(std::move(activation));
  }
  std::swap(before_, values_);
  before_tensor_ = root_of(&node);
}

void ValueSampler::read_scores(const ggml_tensor& node, const OperationInfo& operation) {
  if (node.op == GGML_OP_FLASH_ATTN_EXT) {
    if (!compute_attention_weights(node, attention_)) {
      ++unread_attentions_;
      return;
    }
  } else {
    attention_.columns = static_cast<std::size_t>(node.ne[0]);
    read_tensor(node, bytes_, attention_.rows);
    attention_.visible = visible_positions(node.src[1], attention_.columns,
                                           static_cast<std::size_t>(node.ne[1]), bytes_);
  }
  const std::size_t head_size = attention_.columns * attention_.visible.size();
  for (std::size_t head = 0; (head + 1) * head_size <= attention_.rows.size(); ++head) {
    const auto rows = std::span<const float>(attention_.rows).subspan(head * head_size, head_size);
    if (const auto statistics = attention_head_statistics(
            rows, attention_.columns, attention_.visible, options_.sparsity_threshold)) {
      present_.attention.push_back({.phase = phase_,
                                    .token = token_,
                                    .layer = operation.layer,
                                    .head = static_cast<std::int32_t>(head),
                                    .entropy_nats = statistics->entropy_nats,
                                    .maximum_weight = statistics->maximum_weight,
                                    .sparsity = statistics->sparsity});
    }
  }
}

/// The router's parts come in this order: logits, probabilities, order of the experts, weights.
void ValueSampler::read_router(const ggml_tensor& node, const OperationInfo& operation) {
  const std::string_view name = node.name;
  if (node.op == GGML_OP_ARGSORT) {
    order_ = read_integers(node, bytes_);
    return;
  }
  if (name.starts_with("ffn_moe_logits-") || name.starts_with("ffn_moe_probs-")) {
    read_tensor(node, bytes_, probabilities_);
    probabilities_are_logits_ = name.starts_with("ffn_moe_logits-");
    expert_count_ = static_cast<std::size_t>(node.ne[0]);
    return;
  }
  if (order_.empty() || probabilities_.empty() || order_.size() != probabilities_.size()) {
    ++unread_routers_;  // another kind of router: what it chose is not known
    return;
  }
  read_tensor(node, bytes_, values_);
  const std::size_t positions = order_.size() / expert_count_;
  const std::size_t chosen = values_.size() / positions;
  if (chosen == 0 || chosen > expert_count_ || chosen * positions != values_.size()) {
    ++unread_routers_;
    return;
  }
  for (std::size_t position = 0; position < positions; ++position) {
    const auto probabilities =
        std::span<const float>(probabilities_).subspan(position * expert_count_, expert_count_);
    const auto entropy = probabilities_are_logits_ ? routing_entropy_of_logits(probabilities)
                                                   : routing_entropy(probabilities);
    if (!entropy) {
      continue;
    }
    ExpertActivation activation{.phase = phase_,
                                .token = token_,
                                .layer = operation.layer,
                                .experts = {},
                                .weights = {},
                                .routing_entropy_nats = *entropy};
    for (std::size_t rank = 0; rank < chosen; ++rank) {
      activation.experts.push_back(
          static_cast<std::uint16_t>(order_[position * expert_count_ + rank]));
      activation.weights.push_back(values_[position * chosen + rank]);
    }
    present_.experts.push_back(std::move(activation));
  }
  order_.clear();
  probabilities_.clear();
}

}  // namespace enprof
