#include "engines/llama/graph_plan.hpp"

#include "engines/llama/node_work.hpp"
#include "profile/component_plan.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <ranges>
#include <set>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

/// How many nodes after a norm its multiplication is searched for.
constexpr std::size_t kNormReach = 3;
constexpr std::string_view kPostAttentionNorm = "post_attention_norm";

bool is_empty(const ggml_tensor& node) noexcept {
  switch (node.op) {
    case GGML_OP_NONE:
    case GGML_OP_RESHAPE:
    case GGML_OP_TRANSPOSE:
    case GGML_OP_VIEW:
    case GGML_OP_PERMUTE:
      return true;
    default:
      return false;
  }
}

bool is_norm(const ggml_tensor& node) noexcept {
  return node.op == GGML_OP_RMS_NORM || node.op == GGML_OP_NORM || node.op == GGML_OP_GROUP_NORM ||
         node.op == GGML_OP_L2_NORM;
}

/// The tensor that owns the memory.
const ggml_tensor& root_of(const ggml_tensor& tensor) noexcept {
  return tensor.view_src != nullptr ? *tensor.view_src : tensor;
}

bool is_weight(const ggml_tensor& tensor) noexcept {
  const ggml_tensor& root = root_of(tensor);
  const std::string_view name = root.name;
  return root.op == GGML_OP_NONE &&
         (name.starts_with("blk.") || name.ends_with(".weight") || name.ends_with(".bias"));
}

std::string_view weight_of(const ggml_tensor& node) noexcept {
  for (const ggml_tensor* source : node.src) {
    if (source != nullptr && is_weight(*source)) {
      return root_of(*source).name;
    }
  }
  return {};
}

/// The name of the state that a node writes or moves.
std::string_view cache_of(const ggml_tensor& node) noexcept {
  if (node.view_src != nullptr && std::string_view(node.view_src->name).starts_with("cache_")) {
    return node.view_src->name;
  }
  if (node.op == GGML_OP_GET_ROWS || node.op == GGML_OP_CPY || node.op == GGML_OP_CONT) {
    const std::string_view source = root_of(*node.src[0]).name;
    if (source.starts_with("cache_r") || source.starts_with("cache_s")) {
      return source;
    }
  }
  return {};
}

bool selects_outputs(const ggml_tensor& node) noexcept {
  return node.op == GGML_OP_GET_ROWS && node.src[1] != nullptr &&
         std::string_view(node.src[1]->name) == "out_ids";
}

/// Whether a node only moves the result of another node.
bool passes_on(const ggml_tensor& node) noexcept {
  return is_empty(node) || node.op == GGML_OP_CONT || node.op == GGML_OP_DUP ||
         node.op == GGML_OP_CPY || selects_outputs(node);
}

/// Whether the CPU backend runs a norm and the multiplication after it as one, if nothing else uses
/// the norm: ggml_cpu_try_fuse_ops in ggml-cpu.c.
bool can_fuse(const ggml_tensor& norm, const ggml_tensor& product) noexcept {
  if (norm.op != GGML_OP_RMS_NORM || product.op != GGML_OP_MUL || is_skipped(norm) ||
      is_skipped(product) || norm.view_src != nullptr ||
      (norm.flags & GGML_TENSOR_FLAG_OUTPUT) != 0 ||
      (product.src[0] != &norm && product.src[1] != &norm) ||
      !ggml_are_same_shape(&norm, &product)) {
    return false;
  }
  const ggml_tensor& weight = product.src[0] == &norm ? *product.src[1] : *product.src[0];
  return norm.src[0]->type == GGML_TYPE_F32 && product.type == GGML_TYPE_F32 &&
         weight.type == GGML_TYPE_F32 && weight.ne[0] == norm.ne[0] &&
         weight.nb[0] == sizeof(float);
}

/// Identifies the nodes in the order of the graph, and keeps their identities.
class Identifier {
 public:
  Identifier(GraphNodes nodes, PlanRoom& room)
      : nodes_(nodes), made_(room.made), place_of_(room.place_of) {
    made_.resize(std::max(made_.size(), nodes.size()));
    place_of_.clear();
    weights_.reserve(nodes.size());
    for (const ggml_tensor* node : nodes) {
      const std::string_view weight = weights_.emplace_back(weight_of(*node));
      if (weight.find(kPostAttentionNorm) != std::string_view::npos &&
          weight_class(weight) == kPostAttentionNorm) {
        norm_after_attention_.insert(layer_in_name(weight));
      }
    }
  }

  /// Call this once for each node, in order.
  NodeIdentity next(std::size_t index) {
    const ggml_tensor& node = *nodes_[index];
    place_of_.emplace(address(node), static_cast<std::uint32_t>(index));
    if (is_empty(node)) {
      made_[index] = source(node);
      return made_[index];
    }
    const NodeFacts facts = facts_of(index);
    NodeIdentity identity = identify_node(facts);
    previous_layer_ = identity.layer;
    made_[index] = identity;
    if (passes_on(node) && facts.cache.empty()) {
      // Later nodes see through it to its source; the node itself keeps its own identity.
      made_[index] = source(node);
      made_[index].layer = identity.layer;
    }
    return identity;
  }

 private:
  [[nodiscard]] static std::uintptr_t address(const ggml_tensor& tensor) {
    return reinterpret_cast<std::uintptr_t>(&tensor);
  }

  /// The identity of the operation that made a tensor; null if there is none.
  [[nodiscard]] const NodeIdentity* made(const ggml_tensor* tensor) const {
    const auto place = tensor == nullptr ? place_of_.end() : place_of_.find(address(*tensor));
    return place == place_of_.end() ? nullptr : &made_[place->second];
  }

  [[nodiscard]] NodeIdentity source(const ggml_tensor& node) const {
    const NodeIdentity* const found = made(node.src[0]);
    return found == nullptr ? NodeIdentity{} : *found;
  }

  [[nodiscard]] NodeFacts facts_of(std::size_t index) const {
    const ggml_tensor& node = *nodes_[index];
    NodeFacts facts{.op = ggml_op_desc(&node),
                    .name = node.name,
                    .weight = weights_[index],
                    .cache = cache_of(node),
                    .selects_outputs = selects_outputs(node),
                    .previous_layer = previous_layer_};
    for (std::size_t input = 0; input < std::size(node.src); ++input) {
      const NodeIdentity* const found = made(node.src[input]);
      if (found != nullptr) {
        facts.input_layer = std::max(facts.input_layer, found->layer);
        if (input < facts.inputs.size()) {
          facts.inputs[input] = found->component;
        }
      }
    }
    if (is_norm(node) && facts.weight.empty()) {
      facts.weight = weight_after(index);
    }
    facts.norm_after_attention = norm_after_attention_.contains(layer_in_name(facts.weight));
    return facts;
  }

  /// The weight of the multiplication after a norm.
  [[nodiscard]] std::string_view weight_after(std::size_t index) const {
    const std::size_t end = std::min(nodes_.size(), index + 1 + kNormReach);
    for (std::size_t i = index + 1; i < end; ++i) {
      const ggml_tensor& node = *nodes_[i];
      if ((node.op == GGML_OP_MUL || node.op == GGML_OP_ADD) &&
          std::ranges::find(node.src, nodes_[index]) != std::ranges::end(node.src)) {
        return weights_[i];
      }
    }
    return {};
  }

  GraphNodes nodes_;
  std::vector<NodeIdentity>& made_;                                     // by node
  boost::unordered_flat_map<std::uintptr_t, std::uint32_t>& place_of_;  // of the nodes so far
  std::vector<std::string_view> weights_;                               // by node; may be empty
  std::set<std::int32_t> norm_after_attention_;                         // layers
  std::int32_t previous_layer_ = OperationInfo::kNoLayer;
};

void describe(const ggml_tensor& node, NodeIdentity identity, OperationInfo& info) {
  info.layer = identity.layer;
  info.component = std::move(identity.component);
  info.op = ggml_op_desc(&node);
  info.name = node.name;
  std::ranges::copy(node.ne, info.shape.begin());
}

void set_work(OperationInfo& info, const OperationWork& work) {
  info.flops = work.flops;
  info.bytes = work.bytes;
}

}  // namespace

bool is_skipped(const ggml_tensor& node) noexcept {
  return is_empty(node) || (node.flags & GGML_TENSOR_FLAG_COMPUTE) == 0;
}

std::vector<bool> find_fused(GraphNodes nodes) {
  struct Norm {
    const ggml_tensor* tensor;
    std::size_t index;
    std::size_t uses;  // ggml's use count
  };
  std::vector<Norm> norms;  // that may be fused
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const ggml_tensor* source : nodes[i]->src) {
      if (source == nullptr || source->op != GGML_OP_RMS_NORM) {
        continue;
      }
      // Most norms are used right away.
      auto latest_first = norms | std::views::reverse;
      const auto found = std::ranges::find(latest_first, source, &Norm::tensor);
      if (found != latest_first.end()) {
        ++found->uses;
      }
    }
    if (i + 1 < nodes.size() && can_fuse(*nodes[i], *nodes[i + 1])) {
      norms.push_back({.tensor = nodes[i], .index = i, .uses = 0});
    }
  }
  std::vector<bool> fused(nodes.size());
  for (const Norm& norm : norms) {
    fused[norm.index] = norm.uses == 1;
  }
  return fused;
}

bool is_fusion_disabled() noexcept {
  const char* const value = std::getenv("GGML_CPU_DISABLE_FUSION");
  return value != nullptr && std::atoi(value) == 1;
}

std::size_t count_stamps(GraphNodes nodes, bool fusion) {
  const std::vector<bool> fused = fusion ? find_fused(nodes) : std::vector<bool>(nodes.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (is_skipped(*nodes[i])) {
      continue;
    }
    ++count;
    if (fused[i]) {
      ++i;
    }
  }
  return count;
}

void PlanRoom::add(std::size_t nodes) {
  GraphPlan& plan = plans.emplace_back();
  make_touched_room(plan.plan.operations, nodes);
  make_touched_room(plan.nodes, nodes);
  make_touched_room(plan.component_ends, nodes);
}

PlanRoom::PlanRoom(std::size_t graphs, std::size_t nodes) : made(nodes) {
  for (std::size_t graph = 0; graph < graphs; ++graph) {
    add(nodes);
  }
  place_of.reserve(nodes);
  // Writes to the memory; a plan clears it before use.
  for (std::size_t i = 0; i < nodes; ++i) {
    place_of.emplace(i, 0);
  }
}

GraphPlan plan_graph(GraphNodes nodes, bool fusion) {
  PlanRoom room;
  return plan_graph(nodes, fusion, room);
}

GraphPlan plan_graph(GraphNodes nodes, bool fusion, PlanRoom& room) {
  GraphPlan graph;
  if (!room.plans.empty()) {
    graph = std::move(room.plans.back());
    room.plans.pop_back();
  }
  std::vector<OperationInfo>& operations = graph.plan.operations;
  const std::vector<bool> fused = fusion ? find_fused(nodes) : std::vector<bool>(nodes.size());
  operations.reserve(nodes.size());
  graph.nodes.reserve(nodes.size());
  Identifier identifier(nodes, room);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool skipped = is_skipped(*nodes[i]);
    NodeIdentity identity = identifier.next(i);
    if (skipped) {
      continue;
    }
    OperationInfo& info = operations.emplace_back();
    if (fused[i]) {
      const ggml_tensor& norm = *nodes[i];
      const ggml_tensor& product = *nodes[++i];
      describe(product, identifier.next(i), info);
      info.op = std::string(ggml_op_desc(&norm)) + "+" + ggml_op_desc(&product);
      set_work(info, fused_norm_work(norm, product));
    } else {
      describe(*nodes[i], std::move(identity), info);
      set_work(info, node_work(*nodes[i]));
    }
    graph.nodes.push_back(static_cast<std::uint32_t>(i));
  }
  add_component_ends(graph.plan, graph.component_ends);
  return graph;
}

std::uint64_t node_fingerprint(const ggml_tensor& node) noexcept {
  // A sum of products with odd constants, one for each field. Two nodes that differ agree only if
  // the differences of several fields cancel out. Independent products cost a few nanoseconds.
  constexpr std::array<std::uint64_t, 9> kOdd{
      0x9E3779B97F4A7C15U, 0xC2B2AE3D27D4EB4FU, 0x165667B19E3779F9U,
      0xD6E8FEB86659FD93U, 0xA0761D6478BD642FU, 0xE7037ED1A0B428DBU,
      0x8EBC6AF09C88C6E3U, 0x589965CC75374CC3U, 0x1D8E4E27C47D124FU};
  std::uint64_t hash = (static_cast<std::uint64_t>(node.op) |
                        static_cast<std::uint64_t>(static_cast<std::uint32_t>(node.flags)) << 16U |
                        static_cast<std::uint64_t>(node.type) << 48U) *
                       kOdd[0];
  for (std::size_t i = 0; i < 4; ++i) {
    hash += static_cast<std::uint64_t>(node.ne[i]) * kOdd[1 + i];
  }
  std::array<std::uint64_t, 4> name{};
  static_assert(sizeof name <= sizeof node.name);
  std::memcpy(name.data(), node.name, sizeof name);
  for (std::size_t i = 0; i < name.size(); ++i) {
    hash += name[i] * kOdd[5 + i];
  }
  return hash;
}

}  // namespace enprof
