#include "engines/llama/graph_plan.hpp"

#include "engines/llama/llama_handles.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "profile/component_plan.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAreArray;
using ::testing::SizeIs;

constexpr std::int32_t kNone = OperationInfo::kNoLayer;

/// A graph as llama.cpp computed it.
struct Evaluated {
  GraphPlan plan;
  std::size_t nodes = 0;
  std::size_t expected = 0;  ///< number of stamps
  std::size_t stamps = 0;
};

/// A model and a context whose graphs can be examined.
class Model {
 public:
  explicit Model(SynthOptions options, bool flash_attention = true) {
    model_.reset(llama_model_load_from_file(testing::make_model(options).c_str(),
                                            llama_model_default_params()));
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 512;
    params.n_threads = params.n_threads_batch = 1;
    params.n_outputs_max = 1;
    params.flash_attn_type =
        flash_attention ? LLAMA_FLASH_ATTN_TYPE_AUTO : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.cb_eval = [](ggml_tensor* node, bool, void* self) {
      static_cast<Model*>(self)->nodes_.push_back(node);
      return false;
    };
    params.cb_eval_user_data = this;
    params.abort_callback = [](void* self) {
      ++static_cast<Model*>(self)->stamps_;
      return false;
    };
    params.abort_callback_data = this;
    context_.reset(llama_init_from_model(model_.get(), params));
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  Evaluated decode(int count) {
    nodes_.clear();
    stamps_ = 0;
    std::vector<llama_token> tokens(static_cast<std::size_t>(count), 5);
    EXPECT_EQ(llama_decode(context_.get(), llama_batch_get_one(tokens.data(), count)), 0);
    return {plan_graph(nodes_, true), nodes_.size(), count_stamps(nodes_, true), stamps_};
  }
  [[nodiscard]] const std::vector<const ggml_tensor*>& nodes() const { return nodes_; }

 private:
  LlamaModelPtr model_;
  LlamaContextPtr context_;
  std::vector<const ggml_tensor*> nodes_;
  std::size_t stamps_ = 0;
};

SynthOptions shape_of(const testing::TempDir& directory, const std::string& architecture,
                      int experts = 0) {
  SynthOptions options = testing::tiny_shape(directory.path() / "m.gguf", architecture);
  options.layers = 3;
  options.context = 512;  // GPT-2 has a row for each position
  options.experts = experts;
  return options;
}

/// The components of one layer in the order in which they run, with repetitions.
std::vector<std::string> components_of(const OperationPlan& plan, std::int32_t layer) {
  std::vector<std::string> components;
  for (const OperationInfo& operation : plan.operations) {
    if (operation.layer == layer &&
        (components.empty() || components.back() != operation.component)) {
      components.push_back(operation.component);
    }
  }
  return components;
}

using Components = std::vector<std::string>;

const Components kLlama{"input_layernorm",
                        "q_proj",
                        "rope",
                        "v_proj",
                        "k_proj",
                        "rope",
                        "kv_cache_store",
                        "attention",
                        "o_proj",
                        "residual",
                        "post_attention_layernorm",
                        "gate_proj",
                        "up_proj",
                        "activation",
                        "down_proj",
                        "residual"};
const Components kQwen3{"input_layernorm",
                        "q_proj",
                        "q_norm",
                        "rope",
                        "v_proj",
                        "k_proj",
                        "k_norm",
                        "rope",
                        "kv_cache_store",
                        "attention",
                        "o_proj",
                        "residual",
                        "post_attention_layernorm",
                        "gate_proj",
                        "up_proj",
                        "activation",
                        "down_proj",
                        "residual"};
const Components kPhi3{
    "input_layernorm", "qkv_proj",   "rope",      "scale",    "rope",
    "kv_cache_store",  "attention",  "o_proj",    "residual", "post_attention_layernorm",
    "up_proj",         "activation", "down_proj", "residual"};
const Components kGemma{"input_layernorm", "q_proj",  "rope",       "scale",
                        "v_proj",          "k_proj",  "rope",       "kv_cache_store",
                        "attention",       "o_proj",  "residual",   "post_attention_layernorm",
                        "gate_proj",       "up_proj", "activation", "down_proj",
                        "residual"};
const Components kGemma2{"input_layernorm",
                         "q_proj",
                         "rope",
                         "scale",
                         "k_proj",
                         "rope",
                         "v_proj",
                         "kv_cache_store",
                         "attention",
                         "o_proj",
                         "post_attention_layernorm",
                         "residual",
                         "pre_feedforward_layernorm",
                         "gate_proj",
                         "up_proj",
                         "activation",
                         "down_proj",
                         "post_feedforward_layernorm",
                         "residual"};
const Components kPhi2{"input_layernorm", "q_proj",     "rope",           "scale",     "v_proj",
                       "k_proj",          "rope",       "kv_cache_store", "attention", "o_proj",
                       "up_proj",         "activation", "down_proj",      "residual"};
const Components kMixtral{"input_layernorm",
                          "q_proj",
                          "rope",
                          "v_proj",
                          "k_proj",
                          "rope",
                          "kv_cache_store",
                          "attention",
                          "o_proj",
                          "residual",
                          "post_attention_layernorm",
                          "router",
                          "experts",
                          "residual"};
const Components kQwen2Moe{"input_layernorm",
                           "q_proj",
                           "rope",
                           "v_proj",
                           "k_proj",
                           "rope",
                           "kv_cache_store",
                           "attention",
                           "o_proj",
                           "residual",
                           "post_attention_layernorm",
                           "router",
                           "experts",
                           "shared_expert",
                           "experts",
                           "residual"};
const Components kQwen3Moe{"input_layernorm",
                           "q_proj",
                           "q_norm",
                           "rope",
                           "v_proj",
                           "k_proj",
                           "k_norm",
                           "rope",
                           "kv_cache_store",
                           "attention",
                           "o_proj",
                           "residual",
                           "post_attention_layernorm",
                           "router",
                           "experts",
                           "residual"};
const Components kFalcon{"input_layernorm", "qkv_proj", "rope",       "kv_cache_store",
                         "attention",       "up_proj",  "activation", "down_proj",
                         "o_proj",          "residual"};
const Components kGpt2{
    "input_layernorm",          "qkv_proj", "kv_cache_store", "attention", "o_proj",  "residual",
    "post_attention_layernorm", "up_proj",  "activation",     "down_proj", "residual"};
const Components kMamba{
    "recurrent_state", "input_layernorm", "in_proj", "concat",   "recurrent_state",
    "conv1d",          "activation",      "x_proj",  "cont",     "dt_proj",
    "ssm_scan",        "recurrent_state", "cont",    "ssm_skip", "add",
    "activation",      "out_proj",        "residual"};

struct Architecture {
  std::string name;
  std::string architecture;
  Components layer;
  Components outside{"embedding", "final_norm", "lm_head"};
  int experts = 0;
};
// Names the case of a failing test.
std::ostream& operator<<(std::ostream& out, const Architecture& architecture) {
  return out << architecture.name;
}

class GraphPlanArchitecture : public ::testing::TestWithParam<Architecture> {
 protected:
  const testing::TempDir directory_;
};

TEST_P(GraphPlanArchitecture, NamesEveryOperation) {
  Model model(shape_of(directory_, GetParam().architecture, GetParam().experts));
  model.decode(4);
  const Evaluated decode = model.decode(1);
  EXPECT_THAT(components_of(decode.plan.plan, 0), ElementsAreArray(GetParam().layer));
  EXPECT_THAT(components_of(decode.plan.plan, kNone), ElementsAreArray(GetParam().outside));
  // The last layer selects the rows that need an output; otherwise it is like the others.
  Components last = components_of(decode.plan.plan, 2);
  std::erase(last, "get_rows");
  const auto repeated = std::ranges::unique(last);
  last.erase(repeated.begin(), repeated.end());
  Components sorted = GetParam().layer;
  std::ranges::sort(sorted);
  std::ranges::sort(last);
  EXPECT_EQ(last, sorted);
  for (const OperationInfo& operation : decode.plan.plan.operations) {
    EXPECT_NE(operation.component, "") << operation.name;
    EXPECT_NE(operation.op, "") << operation.name;
    EXPECT_TRUE(operation.bytes.has_value()) << operation.op;
    EXPECT_TRUE(operation.flops.has_value()) << operation.op;
  }
}

TEST_P(GraphPlanArchitecture, ForeseesEveryStamp) {
  Model model(shape_of(directory_, GetParam().architecture, GetParam().experts));
  for (const int count : {7, 32, 1, 1, 200, 200, 1}) {  // also beyond 256 positions
    const Evaluated evaluated = model.decode(count);
    EXPECT_EQ(evaluated.expected, evaluated.stamps) << count << " tokens";
    EXPECT_THAT(evaluated.plan.plan.operations, SizeIs(evaluated.stamps)) << count << " tokens";
    EXPECT_GT(evaluated.nodes, evaluated.stamps);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, GraphPlanArchitecture,
    ::testing::Values(
        Architecture{"llama", "llama", kLlama}, Architecture{"qwen2", "qwen2", kLlama},
        Architecture{"qwen3", "qwen3", kQwen3}, Architecture{"phi3", "phi3", kPhi3},
        Architecture{"gemma", "gemma", kGemma}, Architecture{"gemma2", "gemma2", kGemma2},
        Architecture{"phi2", "phi2", kPhi2},
        Architecture{"mixtral", "llama", kMixtral, {"embedding", "final_norm", "lm_head"}, 4},
        Architecture{"qwen2moe", "qwen2moe", kQwen2Moe},
        Architecture{"qwen3moe", "qwen3moe", kQwen3Moe}, Architecture{"falcon", "falcon", kFalcon},
        Architecture{"gpt2", "gpt2", kGpt2}, Architecture{"mamba", "mamba", kMamba}),
    [](const auto& instance) { return instance.param.name; });

class GraphPlanTest : public ::testing::Test {
 protected:
  const testing::TempDir directory_;
};

TEST_F(GraphPlanTest, AttentionWithoutFlashHasParts) {
  Model model(shape_of(directory_, "llama"), false);
  model.decode(4);
  const Evaluated decode = model.decode(1);
  EXPECT_EQ(decode.expected, decode.stamps);
  Components components = components_of(decode.plan.plan, 0);
  EXPECT_THAT(Components(components.begin() + 6, components.begin() + 12),
              ElementsAreArray({"kv_cache_store", "qk_matmul", "softmax", "value_matmul",
                                "merge_heads", "o_proj"}));
}

TEST_F(GraphPlanTest, AFusedPairIsOneOperation) {
  Model model(shape_of(directory_, "llama"));
  const Evaluated decode = model.decode(1);
  const auto& operations = decode.plan.plan.operations;
  EXPECT_EQ(std::ranges::count(operations, "RMS_NORM+MUL", &OperationInfo::op), 7);
  EXPECT_EQ(std::ranges::count(operations, "RMS_NORM", &OperationInfo::op), 0);
  EXPECT_EQ(operations[1].name, "attn_norm-0");
  // x (64 F32) and weights (64 F32) are read, 64 F32 written.
  EXPECT_EQ(operations[1].bytes, 3 * 64 * 4);
  EXPECT_EQ(plan_graph(model.nodes(), false).plan.operations.size(), operations.size() + 7);
  EXPECT_EQ(count_stamps(model.nodes(), false), operations.size() + 7);
}

TEST_F(GraphPlanTest, WorkOfTheMatrices) {
  Model model(shape_of(directory_, "llama"));
  const Evaluated decode = model.decode(1);
  const auto& operations = decode.plan.plan.operations;
  const auto down = std::ranges::find(operations, "down_proj", &OperationInfo::component);
  ASSERT_NE(down, operations.end());
  EXPECT_EQ(down->op, "MUL_MAT");
  EXPECT_EQ(down->shape, (std::array<std::int64_t, 4>{64, 1, 1, 1}));
  EXPECT_EQ(down->flops, 2.0 * 64 * 128);
  // 64 rows of 128 in Q8_0, 34 bytes for 32; 128 F32 in, 64 F32 out.
  EXPECT_EQ(down->bytes, 64 * 128 / 32 * 34 + 128 * 4 + 64 * 4);
}

TEST_F(GraphPlanTest, AttentionWorkGrowsWithTheCache) {
  Model model(shape_of(directory_, "llama"));
  const auto attention_flops = [&] {
    const Evaluated decode = model.decode(1);
    const auto found =
        std::ranges::find(decode.plan.plan.operations, "attention", &OperationInfo::component);
    return found->flops.value_or(0.0);
  };
  const double few = attention_flops();
  model.decode(300);
  EXPECT_EQ(attention_flops(), 2.0 * few);  // 512 positions after 256
}

TEST_F(GraphPlanTest, RoomMadeBeforehandChangesNothingAndMayBeUsedUp) {
  Model model(shape_of(directory_, "llama"));
  const GraphPlan expected = model.decode(1).plan;
  PlanRoom room(2, 16);  // smaller than the graph
  for (int graph = 0; graph < 3; ++graph) {
    const GraphPlan plan = plan_graph(model.nodes(), true, room);
    EXPECT_EQ(plan.plan, expected.plan);
    EXPECT_EQ(plan.nodes, expected.nodes);
    EXPECT_EQ(plan.component_ends, expected.component_ends);
  }
  EXPECT_THAT(room.plans, SizeIs(0));
}

TEST_F(GraphPlanTest, ComponentsTakenTogetherHaveTheWorkOfTheirOperations) {
  Model model(shape_of(directory_, "qwen2"));
  const Evaluated decode = model.decode(1);
  const OperationPlan merged = merge_components(decode.plan.plan, decode.plan.component_ends);
  EXPECT_THAT(merged.operations, SizeIs(decode.plan.component_ends.size()));
  EXPECT_LT(merged.operations.size(), decode.plan.plan.operations.size());
  const auto total = [](const OperationPlan& plan) {
    double flops = 0.0;
    for (const OperationInfo& operation : plan.operations) {
      flops += operation.flops.value_or(0.0);
    }
    return flops;
  };
  EXPECT_EQ(total(merged), total(decode.plan.plan));
  const auto q_proj = std::ranges::find(merged.operations, "q_proj", &OperationInfo::component);
  ASSERT_NE(q_proj, merged.operations.end());
  EXPECT_EQ(q_proj->op, "MUL_MAT");  // and its bias
  EXPECT_EQ(q_proj->flops, 2.0 * 64 * 64 + 64);
}

TEST_F(GraphPlanTest, FingerprintsKnowAGraphAgain) {
  Model model(shape_of(directory_, "llama"));
  const auto fingerprints = [&](int count) {
    model.decode(count);
    std::vector<std::uint64_t> result;
    for (const ggml_tensor* node : model.nodes()) {
      result.push_back(node_fingerprint(*node));
    }
    return result;
  };
  const auto first = fingerprints(1);
  EXPECT_EQ(fingerprints(1), first);
  EXPECT_NE(fingerprints(2), first);
  EXPECT_EQ(fingerprints(1), first);
  model.decode(300);
  EXPECT_NE(fingerprints(1), first);  // more of the cache is read
}

/// Graphs made by hand, for cases that models do not have.
class FusionTest : public ::testing::Test {
 protected:
  FusionTest()
      : context_(ggml_init(
            {.mem_size = 64 * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true})),
        input_(ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, 8, 2)),
        weight_(ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8)) {}

  ggml_tensor* add(ggml_tensor* node) {
    node->flags |= GGML_TENSOR_FLAG_COMPUTE;
    nodes_.push_back(node);
    return node;
  }

  GgmlContextPtr context_;
  ggml_tensor* input_;
  ggml_tensor* weight_;
  std::vector<const ggml_tensor*> nodes_;
};

TEST_F(FusionTest, ANormAndItsWeights) {
  ggml_tensor* norm = add(ggml_rms_norm(context_.get(), input_, 1e-5F));
  add(ggml_mul(context_.get(), norm, weight_));
  EXPECT_TRUE(find_fused(nodes_)[0]);
  EXPECT_FALSE(find_fused(nodes_)[1]);
  EXPECT_EQ(count_stamps(nodes_, true), 1U);
  EXPECT_EQ(count_stamps(nodes_, false), 2U);
}

TEST_F(FusionTest, NotWhereTheNormIsUsedAgain) {
  ggml_tensor* norm = add(ggml_rms_norm(context_.get(), input_, 1e-5F));
  ggml_tensor* product = add(ggml_mul(context_.get(), norm, weight_));
  add(ggml_add(context_.get(), product, norm));
  EXPECT_FALSE(find_fused(nodes_)[0]);
}

TEST_F(FusionTest, NotWhereTheNormIsAnOutput) {
  ggml_tensor* norm = add(ggml_rms_norm(context_.get(), input_, 1e-5F));
  ggml_set_output(norm);
  add(ggml_mul(context_.get(), norm, weight_));
  EXPECT_FALSE(find_fused(nodes_)[0]);
}

TEST_F(FusionTest, NotWithWhatIsNoMultiplicationOfIt) {
  add(ggml_rms_norm(context_.get(), input_, 1e-5F));
  add(ggml_mul(context_.get(), input_, weight_));
  EXPECT_FALSE(find_fused(nodes_)[0]);
  nodes_.clear();
  ggml_tensor* norm = add(ggml_rms_norm(context_.get(), input_, 1e-5F));
  add(ggml_add(context_.get(), norm, weight_));
  EXPECT_FALSE(find_fused(nodes_)[0]);
  nodes_.clear();
  norm = add(ggml_norm(context_.get(), input_, 1e-5F));
  add(ggml_mul(context_.get(), norm, weight_));
  EXPECT_FALSE(find_fused(nodes_)[0]);
}

TEST_F(FusionTest, NotWithWeightsOfAnotherType) {
  ggml_tensor* norm = add(ggml_rms_norm(context_.get(), input_, 1e-5F));
  add(ggml_mul(context_.get(), norm, ggml_new_tensor_1d(context_.get(), GGML_TYPE_F16, 8)));
  EXPECT_FALSE(find_fused(nodes_)[0]);
}

TEST_F(FusionTest, WhatIsNotComputedHasNoStamp) {
  ggml_tensor* sum = ggml_add(context_.get(), input_, weight_);
  nodes_.push_back(sum);  // without the flag
  add(ggml_reshape_1d(context_.get(), sum, 16));
  add(ggml_view_1d(context_.get(), sum, 4, 0));
  EXPECT_EQ(count_stamps(nodes_, true), 0U);
  EXPECT_THAT(plan_graph(nodes_, true).plan.operations, SizeIs(0));
  EXPECT_THAT(plan_graph({}, true).plan.operations, SizeIs(0));
}

}  // namespace
}  // namespace enprof
