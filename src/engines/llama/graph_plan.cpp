#include "engines/llama/graph_plan.hpp"

#include "engines/llama/node_identity.hpp"
#include "engines/llama/node_work.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unordered_map>

namespace enprof {
namespace {

/// How far after a norm its multiplication is looked for.
constexpr std::size_t kNormReach = 3;

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

/// The tensor whose memory it is.
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

/// The state that a node writes or moves.
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

/// Whether a node only moves what another has made.
bool passes_on(const ggml_tensor& node) noexcept {
  return is_empty(node) || node.op == GGML_OP_CONT || node.op == GGML_OP_DUP ||
         node.op == GGML_OP_CPY || selects_outputs(node);
}

/// How often a node's result is used: ggml's use count.
std::size_t uses_of(GraphNodes nodes, std::size_t index) noexcept {
  std::size_t uses = 0;
  for (const ggml_tensor* node : nodes.subspan(index + 1)) {
    uses += static_cast<std::size_t>(std::ranges::count(node->src, nodes[index]));
  }
  return uses;
}

/// Identifies nodes in the order of the graph, remembering what each was.
class Identifier {
 public:
  explicit Identifier(GraphNodes nodes) : nodes_(nodes) { made_by_.reserve(nodes.size()); }

  /// Of each node, once, in order.
  const NodeIdentity& next(std::size_t index) {
    const ggml_tensor& node = *nodes_[index];
    if (is_empty(node)) {
      return remember(node, source(node));
    }
    const NodeFacts facts = facts_of(index);
    NodeIdentity identity = identify_node(facts);
    previous_layer_ = identity.layer;
    if (passes_on(node) && facts.cache.empty()) {
      // Those that come after it see through it; it itself is what it is.
      NodeIdentity passed = source(node);
      passed.layer = identity.layer;
      remember(node, passed);
      present_ = std::move(identity);
      return present_;
    }
    return remember(node, std::move(identity));
  }

 private:
  const NodeIdentity& remember(const ggml_tensor& node, NodeIdentity identity) {
    return made_by_.insert_or_assign(&node, std::move(identity)).first->second;
  }

  [[nodiscard]] NodeIdentity source(const ggml_tensor& node) const {
    const auto found = made_by_.find(node.src[0]);
    return found == made_by_.end() ? NodeIdentity{} : found->second;
  }

  [[nodiscard]] NodeFacts facts_of(std::size_t index) const {
    const ggml_tensor& node = *nodes_[index];
    NodeFacts facts{.op = ggml_op_desc(&node),
                    .name = node.name,
                    .weight = weight_of(node),
                    .cache = cache_of(node),
                    .selects_outputs = selects_outputs(node),
                    .previous_layer = previous_layer_};
    std::size_t count = 0;
    for (const ggml_tensor* input : node.src) {
      const auto found = input == nullptr ? made_by_.end() : made_by_.find(input);
      if (found != made_by_.end()) {
        facts.input_layer = std::max(facts.input_layer, found->second.layer);
        if (count < facts.inputs.size()) {
          facts.inputs[count] = found->second.component;
        }
      }
      ++count;
    }
    if (is_norm(node) && facts.weight.empty()) {
      facts.weight = weight_after(index);
    }
    return facts;
  }

  /// Of the multiplication that a norm is for.
  [[nodiscard]] std::string_view weight_after(std::size_t index) const {
    const std::size_t end = std::min(nodes_.size(), index + 1 + kNormReach);
    for (std::size_t i = index + 1; i < end; ++i) {
      const ggml_tensor& node = *nodes_[i];
      if ((node.op == GGML_OP_MUL || node.op == GGML_OP_ADD) &&
          std::ranges::find(node.src, nodes_[index]) != std::ranges::end(node.src)) {
        return weight_of(node);
      }
    }
    return {};
  }

  GraphNodes nodes_;
  std::unordered_map<const ggml_tensor*, NodeIdentity> made_by_;
  NodeIdentity present_;
  std::int32_t previous_layer_ = OperationInfo::kNoLayer;
};

OperationInfo describe(const ggml_tensor& node, const NodeIdentity& identity) {
  OperationInfo info{.layer = identity.layer,
                     .component = identity.component,
                     .op = ggml_op_desc(&node),
                     .name = node.name,
                     .shape = {},
                     .flops = {},
                     .bytes = {}};
  std::ranges::copy(node.ne, info.shape.begin());
  return info;
}

void set_work(OperationInfo& info, const OperationWork& work) {
  info.flops = work.flops;
  info.bytes = work.bytes;
}

bool same_component(const OperationInfo& a, const OperationInfo& b) {
  return a.layer == b.layer && a.component == b.component;
}

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

}  // namespace

bool is_skipped(const ggml_tensor& node) noexcept {
  return is_empty(node) || (node.flags & GGML_TENSOR_FLAG_COMPUTE) == 0;
}

bool is_fused(GraphNodes nodes, std::size_t index) noexcept {
  if (index + 1 >= nodes.size() || nodes[index]->op != GGML_OP_RMS_NORM ||
      nodes[index + 1]->op != GGML_OP_MUL) {
    return false;
  }
  const ggml_tensor& norm = *nodes[index];
  const ggml_tensor& product = *nodes[index + 1];
  if (is_skipped(norm) || is_skipped(product) || norm.view_src != nullptr ||
      (norm.flags & GGML_TENSOR_FLAG_OUTPUT) != 0 ||
      (product.src[0] != &norm && product.src[1] != &norm) ||
      !ggml_are_same_shape(&norm, &product) || uses_of(nodes, index) != 1) {
    return false;
  }
  const ggml_tensor& weight = product.src[0] == &norm ? *product.src[1] : *product.src[0];
  return norm.src[0]->type == GGML_TYPE_F32 && product.type == GGML_TYPE_F32 &&
         weight.type == GGML_TYPE_F32 && weight.ne[0] == norm.ne[0] &&
         weight.nb[0] == sizeof(float);
}

bool is_fusion_disabled() noexcept {
  const char* const value = std::getenv("GGML_CPU_DISABLE_FUSION");
  return value != nullptr && std::atoi(value) == 1;
}

std::size_t count_stamps(GraphNodes nodes, bool fusion) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (is_skipped(*nodes[i])) {
      continue;
    }
    ++count;
    if (fusion && is_fused(nodes, i)) {
      ++i;
    }
  }
  return count;
}

GraphPlan plan_graph(GraphNodes nodes, bool fusion) {
  GraphPlan graph;
  std::vector<OperationInfo>& operations = graph.plan.operations;
  Identifier identifier(nodes);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool skipped = is_skipped(*nodes[i]);
    const NodeIdentity identity = identifier.next(i);
    if (skipped) {
      continue;
    }
    if (fusion && is_fused(nodes, i)) {
      const ggml_tensor& norm = *nodes[i];
      const ggml_tensor& product = *nodes[++i];
      OperationInfo info = describe(product, identifier.next(i));
      info.op = std::string(ggml_op_desc(&norm)) + "+" + ggml_op_desc(&product);
      set_work(info, fused_norm_work(norm, product));
      operations.push_back(std::move(info));
    } else {
      OperationInfo info = describe(*nodes[i], identity);
      set_work(info, node_work(*nodes[i]));
      operations.push_back(std::move(info));
    }
    graph.nodes.push_back(static_cast<std::uint32_t>(i));
  }
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (i + 1 == operations.size() || !same_component(operations[i], operations[i + 1])) {
      graph.component_ends.push_back(static_cast<std::uint32_t>(i));
    }
  }
  return graph;
}

OperationPlan merge_components(const GraphPlan& graph) {
  OperationPlan merged;
  std::size_t begin = 0;
  for (const std::uint32_t end : graph.component_ends) {
    const auto operations = std::span(graph.plan.operations).subspan(begin, end + 1 - begin);
    OperationInfo info = *std::ranges::max_element(
        operations, {},
        [](const OperationInfo& operation) { return operation.flops.value_or(0.0); });
    info.flops = info.bytes = 0.0;
    for (const OperationInfo& operation : operations) {
      info.flops = sum(info.flops, operation.flops);
      info.bytes = sum(info.bytes, operation.bytes);
    }
    merged.operations.push_back(std::move(info));
    begin = end + 1;
  }
  return merged;
}

std::uint64_t node_fingerprint(const ggml_tensor& node) noexcept {
  // A sum of products with odd constants, one a field: two nodes that differ in a field agree only
  // where differences in others make up for it. Independent products cost a few nanoseconds.
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
