#include "engines/llama/told_plan.hpp"

#include "engines/llama/graph_plan.hpp"

#include <ggml.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace enprof {
namespace {

struct Free {
  void operator()(ggml_context* context) const { ggml_free(context); }
};

/// A layer as llama.cpp builds it, told as the probe does.
class ToldPlanTest : public ::testing::Test {
 protected:
  ToldPlanTest() {
    ggml_tensor* const input = named(ggml_new_tensor_2d(context(), GGML_TYPE_F32, 64, 3), "inp");
    ggml_tensor* const norm = ggml_rms_norm(context(), input, 1e-5F);
    ggml_tensor* const normed =
        named(ggml_mul(context(), norm, weight("blk.0.attn_norm.weight", 64, 1)), "attn_norm-0");
    ggml_tensor* const q =
        named(ggml_mul_mat(context(), weight("blk.0.attn_q.weight", 64, 64), normed), "Qcur-0");
    ggml_tensor* const view = ggml_reshape_3d(context(), q, 16, 4, 3);
    ggml_tensor* const gate = named(
        ggml_mul_mat(context(), weight("blk.0.ffn_gate.weight", 64, 64), normed), "ffn_gate-0");
    ggml_tensor* const silu = named(ggml_silu(context(), gate), "ffn_silu-0");
    ggml_tensor* const down =
        named(ggml_mul_mat(context(), weight("blk.0.ffn_down.weight", 64, 64), silu), "ffn_out-0");
    for (ggml_tensor* node : {norm, normed, q, view, gate, silu, down}) {
      node->flags |= GGML_TENSOR_FLAG_COMPUTE;
      nodes_.push_back(node);
    }
  }
  ggml_context* context() { return context_.get(); }
  static ggml_tensor* named(ggml_tensor* tensor, const char* name) {
    return ggml_set_name(tensor, name);
  }
  ggml_tensor* weight(const char* name, std::int64_t columns, std::int64_t rows) {
    return named(ggml_new_tensor_2d(context(), GGML_TYPE_F32, columns, rows), name);
  }

  [[nodiscard]] ToldGraph tell() const {
    ToldGraph told{.number = 1, .nodes = nodes_.size(), .tensors = {}};
    std::map<const ggml_tensor*, std::int32_t> places;
    std::vector<const ggml_tensor*> all(nodes_.begin(), nodes_.end());
    for (const ggml_tensor* node : nodes_) {
      for (const ggml_tensor* source : node->src) {
        if (source != nullptr && std::ranges::find(all, source) == all.end()) {
          all.push_back(source);
        }
      }
    }
    for (const ggml_tensor* tensor : all) {
      places.emplace(tensor, static_cast<std::int32_t>(places.size()));
    }
    for (const ggml_tensor* tensor : all) {
      ToldTensor& of = told.tensors.emplace_back();
      of.op = ggml_op_name(tensor->op);
      of.description = ggml_op_desc(tensor);
      of.name = tensor->name;
      of.data_type = static_cast<std::uint32_t>(tensor->type);
      of.flags = static_cast<std::uint32_t>(tensor->flags);
      std::ranges::copy(tensor->ne, of.extents.begin());
      of.stride = static_cast<std::uint32_t>(tensor->nb[0]);
      of.parameters = {tensor->op_params[0], tensor->op_params[1]};
      of.view_of = tensor->view_src == nullptr ? ToldTensor::kNone : places.at(tensor->view_src);
      for (std::size_t i = 0; i < ToldTensor::kSources; ++i) {
        of.sources[i] = tensor->src[i] == nullptr ? ToldTensor::kNone : places.at(tensor->src[i]);
      }
    }
    return told;
  }

  std::unique_ptr<ggml_context, Free> context_{
      ggml_init({.mem_size = std::size_t{1} << 20U, .mem_buffer = nullptr, .no_alloc = true})};
  std::vector<const ggml_tensor*> nodes_;
};

TEST_F(ToldPlanTest, ItIsThePlanOfTheSameGraphHere) {
  for (const bool fusion : {true, false}) {
    const GraphPlan own = plan_graph(nodes_, fusion);
    EXPECT_EQ(own.plan.operations.size(), fusion ? 5U : 6U);
    const auto told = plan_told_graph(tell(), fusion, own.plan.operations.size());
    ASSERT_TRUE(told);
    EXPECT_EQ(*told, own.plan);
  }
}

TEST_F(ToldPlanTest, TheNumberOfStampsDecidesWhatTheirVersionFuses) {
  const auto told = plan_told_graph(tell(), true, 6);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->operations.size(), 6U);
}

TEST_F(ToldPlanTest, ANumberThatFitsNoneIsNoPlan) {
  EXPECT_FALSE(plan_told_graph(tell(), true, 4));
}

TEST_F(ToldPlanTest, TheirNumbersOfOperationsMayBeOthers) {
  ToldGraph told = tell();
  for (ToldTensor& tensor : told.tensors) {
    tensor.parameters[0] = tensor.op == "UNARY" ? 77 : tensor.parameters[0];
  }
  EXPECT_EQ(plan_told_graph(told, true, 5), plan_graph(nodes_, true).plan);
}

TEST_F(ToldPlanTest, AnOperationThatOursDoesNotHave) {
  ToldGraph told = tell();
  told.tensors[2].op = "MUL_MAT_OF_TOMORROW";
  EXPECT_FALSE(plan_told_graph(told, true, 5));
  told = tell();
  told.tensors[5].description = "SILU_OF_TOMORROW";
  EXPECT_FALSE(plan_told_graph(told, true, 5));
}

TEST_F(ToldPlanTest, ALiarsGraphHasNoPlanOrOne) {
  for (const std::size_t of : {0U, 1U, 2U}) {
    ToldGraph told = tell();
    told.tensors[of].sources.fill(ToldTensor::kNone);
    told.tensors[of].data_type = of == 1 ? 9999 : told.tensors[of].data_type;
    static_cast<void>(plan_told_graph(told, true, 5));
  }
  ToldGraph told = tell();
  for (ToldTensor& tensor : told.tensors) {
    tensor.op = "GET_ROWS";
    tensor.sources.fill(ToldTensor::kNone);
  }
  EXPECT_FALSE(plan_told_graph(told, true, 7));
}

}  // namespace
}  // namespace enprof
