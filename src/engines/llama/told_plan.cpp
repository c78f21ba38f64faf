#include "engines/llama/told_plan.hpp"

#include "engines/llama/graph_plan.hpp"

#include <ggml.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

/// Our ggml's number of an operation that another version names. One that ours does not have gets a
/// number that nothing is known of, and keeps its name.
std::optional<ggml_op> op_named(std::string_view name) {
  static const std::map<std::string_view, ggml_op> numbers = [] {
    std::map<std::string_view, ggml_op> all;
    for (int op = 0; op < GGML_OP_COUNT; ++op) {
      all.emplace(ggml_op_name(static_cast<ggml_op>(op)), static_cast<ggml_op>(op));
    }
    return all;
  }();
  const auto found = numbers.find(name);
  return found == numbers.end() ? std::nullopt : std::optional{found->second};
}

template <class Op, int Count>
std::optional<std::int32_t> variant_named(std::string_view description,
                                          const char* (*name_of)(Op)) {
  for (int op = 0; op < Count; ++op) {
    if (name_of(static_cast<Op>(op)) == description) {
      return op;
    }
  }
  return std::nullopt;
}

/// False if our ggml has no such operation, so that its own functions could not name it.
bool set_operation(const ToldTensor& told, ggml_tensor& tensor) {
  const auto op = op_named(told.op);
  if (!op) {
    return false;
  }
  tensor.op = *op;
  tensor.op_params[0] = told.parameters[0];
  tensor.op_params[1] = told.parameters[1];
  std::optional<std::int32_t> variant = told.parameters[0];
  if (*op == GGML_OP_UNARY) {
    variant =
        variant_named<ggml_unary_op, GGML_UNARY_OP_COUNT>(told.description, ggml_unary_op_name);
  } else if (*op == GGML_OP_GLU) {
    variant = variant_named<ggml_glu_op, GGML_GLU_OP_COUNT>(told.description, ggml_glu_op_name);
  }
  tensor.op_params[0] = variant.value_or(0);
  return variant.has_value();
}

/// The graph as ggml's own structs. Values and their places in memory are not known.
class RebuiltGraph {
 public:
  explicit RebuiltGraph(const ToldGraph& told) : tensors_(told.tensors.size()) {
    for (std::size_t i = 0; i < tensors_.size() && is_known_; ++i) {
      rebuild(told.tensors[i], tensors_[i]);
    }
    for (std::size_t i = 0; i < told.nodes; ++i) {
      nodes_.push_back(&tensors_[i]);
    }
  }
  [[nodiscard]] bool is_known() const { return is_known_; }
  [[nodiscard]] GraphNodes nodes() const { return nodes_; }

 private:
  void rebuild(const ToldTensor& told, ggml_tensor& tensor) {
    if (told.data_type >= GGML_TYPE_COUNT ||
        ggml_blck_size(static_cast<ggml_type>(told.data_type)) == 0 ||
        !set_operation(told, tensor)) {
      is_known_ = false;
      return;
    }
    tensor.type = static_cast<ggml_type>(told.data_type);
    tensor.flags = static_cast<std::int32_t>(told.flags);
    std::ranges::copy(told.extents, std::begin(tensor.ne));
    tensor.nb[0] = told.stride;
    for (std::size_t i = 0; i < std::min(ToldTensor::kSources, std::size(tensor.src)); ++i) {
      tensor.src[i] = at(told.sources[i]);
    }
    tensor.view_src = at(told.view_of);
    const std::size_t size = std::min(told.name.size(), sizeof tensor.name - 1);
    std::memcpy(tensor.name, told.name.data(), size);
    // Our functions read an operation's first source without asking, as ggml made it.
    is_known_ = tensor.src[0] != nullptr || is_source_free(tensor.op);
  }

  [[nodiscard]] static bool is_source_free(ggml_op op) {
    return op != GGML_OP_GET_ROWS && op != GGML_OP_CPY && op != GGML_OP_CONT &&
           op != GGML_OP_RMS_NORM;
  }

  [[nodiscard]] ggml_tensor* at(std::int32_t index) {
    return index < 0 ? nullptr : &tensors_[static_cast<std::size_t>(index)];
  }

  std::vector<ggml_tensor> tensors_;
  std::vector<const ggml_tensor*> nodes_;
  bool is_known_ = true;
};

}  // namespace

std::optional<OperationPlan> plan_told_graph(const ToldGraph& graph, bool fusion,
                                             std::size_t stamps) {
  const RebuiltGraph rebuilt(graph);
  if (!rebuilt.is_known()) {
    return std::nullopt;
  }
  for (const bool fused : {fusion, !fusion}) {
    if (count_stamps(rebuilt.nodes(), fused) == stamps) {
      return plan_graph(rebuilt.nodes(), fused).plan;
    }
  }
  return std::nullopt;
}

}  // namespace enprof
