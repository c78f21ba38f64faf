#include "engines/llama/value_sampler.hpp"

#include "engines/llama/llama_handles.hpp"

#include <ggml-cpu.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Graphs of a few nodes with values that can be followed by hand. ggml_graph_compute_with_ctx()
/// keeps each tensor, so that they can be read afterwards.
class ValueSamplerTest : public ::testing::Test {
 protected:
  ggml_tensor* values(const char* name, std::vector<std::int64_t> shape,
                      const std::vector<float>& numbers) {
    ggml_tensor* const tensor =
        ggml_new_tensor(ggml_, GGML_TYPE_F32, static_cast<int>(shape.size()), shape.data());
    EXPECT_EQ(ggml_nelements(tensor), static_cast<std::int64_t>(numbers.size())) << name;
    std::memcpy(tensor->data, numbers.data(), numbers.size() * sizeof(float));
    return ggml_set_name(tensor, name);
  }
  ggml_tensor* node(ggml_tensor* tensor, const char* name) {
    nodes_.push_back(tensor);
    return ggml_set_name(tensor, name);
  }

  /// Computes the nodes, and has all read that is planned, as one pass.
  void sample(ValueSampler& sampler) {
    ggml_cgraph* const graph = ggml_new_graph(ggml_);
    ggml_build_forward_expand(graph, nodes_.back());
    ASSERT_EQ(ggml_graph_compute_with_ctx(ggml_, graph, 1), GGML_STATUS_SUCCESS);
    const std::vector<const ggml_tensor*> nodes(nodes_.begin(), nodes_.end());
    const GraphPlan plan = plan_graph(nodes, true);
    const ValuePlan roles = plan_values(nodes, plan);
    ASSERT_TRUE(sampler.is_due());
    sampler.begin(Phase::decode, 3);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (roles[i].any()) {
        sampler.read(*nodes[i], roles[i], plan.plan.operations[roles[i].operation]);
      }
    }
    sampler.end(true);
  }
  static const ActivationValues* find(const SampledValues& sampled, const char* component) {
    const auto found =
        std::ranges::find(sampled.activations, component, &ActivationValues::component);
    return found == sampled.activations.end() ? nullptr : &*found;
  }

  GgmlContextPtr context_{
      ggml_init({.mem_size = 8U << 20U, .mem_buffer = nullptr, .no_alloc = false})};
  ggml_context* ggml_ = context_.get();
  std::vector<ggml_tensor*> nodes_;
};

TEST_F(ValueSamplerTest, AnMlpByHand) {
  // x = (1, 2, 3, 4): its norm divides by √7.5; the weights double that.
  ggml_tensor* const input = values("inp", {4, 1}, {1.0F, 2.0F, 3.0F, 4.0F});
  ggml_tensor* const scaled = node(ggml_scale(ggml_, input, 1.0F), "inp_scaled");
  ggml_tensor* const norm = node(ggml_rms_norm(ggml_, scaled, 0.0F), "norm-0");
  ggml_tensor* const normed =
      node(ggml_mul(ggml_, norm, values("blk.0.ffn_norm.weight", {4}, {2.0F, 2.0F, 2.0F, 2.0F})),
           "ffn_norm-0");
  // Rows pick elements: gate (−first, second, 0, −third), up all ones of the first.
  ggml_tensor* const gate = node(ggml_mul_mat(ggml_,
                                              values("blk.0.ffn_gate.weight", {4, 4},
                                                     {-1.0F, 0.0F, 0.0F, 0.0F,  //
                                                      0.0F, 1.0F, 0.0F, 0.0F,   //
                                                      0.0F, 0.0F, 0.0F, 0.0F,   //
                                                      0.0F, 0.0F, -1.0F, 0.0F}),
                                              normed),
                                 "ffn_gate-0");
  ggml_tensor* const up = node(ggml_mul_mat(ggml_,
                                            values("blk.0.ffn_up.weight", {4, 4},
                                                   {1.0F, 0.0F, 0.0F, 0.0F,  //
                                                    1.0F, 0.0F, 0.0F, 0.0F,  //
                                                    1.0F, 0.0F, 0.0F, 0.0F,  //
                                                    1.0F, 0.0F, 0.0F, 0.0F}),
                                            normed),
                               "ffn_up-0");
  node(ggml_swiglu_split(ggml_, gate, up), "ffn_swiglu-0");

  ValueSampler sampler({.every = 1});
  sample(sampler);
  const SampledValues sampled = sampler.take();
  EXPECT_EQ(sampled.every, 1U);
  EXPECT_EQ(sampled.passes, 1U);
  EXPECT_THAT(sampled.activations, SizeIs(5));
  EXPECT_THAT(sampled.attention, IsEmpty());
  EXPECT_THAT(sampled.experts, IsEmpty());

  const double unit = 2.0 / std::sqrt(7.5);  // what 1 becomes
  const ActivationValues* const layernorm = find(sampled, "post_attention_layernorm");
  ASSERT_NE(layernorm, nullptr);
  EXPECT_EQ(layernorm->phase, Phase::decode);
  EXPECT_EQ(layernorm->token, 3);
  EXPECT_EQ(layernorm->layer, 0);
  EXPECT_NEAR(layernorm->mean, 2.5 * unit, 1e-6);
  EXPECT_NEAR(layernorm->standard_deviation, std::sqrt(1.25) * unit, 1e-6);
  EXPECT_NEAR(layernorm->maximum, 4.0 * unit, 1e-6);
  EXPECT_EQ(layernorm->sparsity, 0.0);
  ASSERT_TRUE(layernorm->variance_ratio);
  EXPECT_NEAR(*layernorm->variance_ratio, 1.0 / (unit * unit), 1e-5);
  EXPECT_FALSE(layernorm->kill_ratio);

  const ActivationValues* const gated = find(sampled, "gate_proj");
  ASSERT_NE(gated, nullptr);
  EXPECT_NEAR(gated->mean, -0.5 * unit, 1e-6);
  EXPECT_EQ(gated->kill_ratio, 0.5);  // two of four below 0; 0 itself is not
  EXPECT_EQ(gated->sparsity, 0.25);
  EXPECT_FALSE(gated->variance_ratio);
  EXPECT_FALSE(find(sampled, "up_proj")->kill_ratio);
  EXPECT_EQ(find(sampled, "activation")->sparsity, 0.25);
}

TEST_F(ValueSamplerTest, AGateInOneMatrixWithItsUpProjectionIsTheFirstHalf) {
  ggml_tensor* const input = values("inp", {1, 2}, {1.0F, 2.0F});  // two positions
  ggml_tensor* const both =
      node(ggml_mul_mat(ggml_, values("blk.0.ffn_up.weight", {1, 4}, {-1.0F, 1.0F, -1.0F, -1.0F}),
                        input),
           "ffn_up-0");
  node(ggml_swiglu(ggml_, both), "ffn_swiglu-0");
  ValueSampler sampler({.every = 1});
  sample(sampler);
  const SampledValues sampled = sampler.take();
  ASSERT_NE(find(sampled, "up_proj"), nullptr);
  EXPECT_EQ(find(sampled, "up_proj")->kill_ratio, 0.5);  // of (−, +) each; of all it were 3/4
}

TEST_F(ValueSamplerTest, TheRouter) {
  // Two positions of four experts; logits are logarithms, so that the softmax is plain to see.
  const auto log = [](float value) { return std::log(value); };
  ggml_tensor* const input = values("inp", {2, 2}, {1.0F, 0.0F, 0.0F, 1.0F});
  ggml_tensor* const logits =
      node(ggml_mul_mat(ggml_,
                        values("blk.5.ffn_gate_inp.weight", {2, 4},
                               {log(0.1F), log(0.25F), log(0.6F), log(0.25F), log(0.2F), log(0.25F),
                                log(0.1F), log(0.25F)}),
                        input),
           "ffn_moe_logits-5");
  ggml_tensor* const probabilities = node(ggml_soft_max(ggml_, logits), "ffn_moe_probs-5");
  ggml_tensor* const order =
      node(ggml_argsort(ggml_, probabilities, GGML_SORT_ORDER_DESC), "ffn_moe_argsort-5");
  ggml_tensor* const chosen =
      node(ggml_view_2d(ggml_, order, 2, 2, order->nb[1], 0), "ffn_moe_topk-5");
  ggml_tensor* const shaped =
      node(ggml_reshape_3d(ggml_, probabilities, 1, 4, 2), "ffn_moe_probs-5 (reshaped)");
  node(ggml_get_rows(ggml_, shaped, chosen), "ffn_moe_weights-5");

  ValueSampler sampler({.every = 1});
  sample(sampler);
  EXPECT_EQ(sampler.unread_routers(), 0U);
  const SampledValues sampled = sampler.take();
  ASSERT_THAT(sampled.experts, SizeIs(2));
  const ExpertActivation& first = sampled.experts[0];
  EXPECT_EQ(first.layer, 5);
  EXPECT_EQ(first.token, 3);
  EXPECT_THAT(first.experts, ElementsAre(1, 2));
  EXPECT_THAT(first.weights, ElementsAre(FloatNear(0.6F, 1e-5F), FloatNear(0.2F, 1e-5F)));
  EXPECT_NEAR(first.routing_entropy_nats,
              -(0.6 * std::log(0.6) + 0.2 * std::log(0.2) + 0.2 * std::log(0.1)), 1e-5);
  EXPECT_NEAR(sampled.experts[1].routing_entropy_nats, std::log(4.0), 1e-5);
  EXPECT_THAT(sampled.activations, IsEmpty());
}

TEST_F(ValueSamplerTest, AttentionThatIsWrittenDown) {
  // Scores of two heads over four positions; the last may not be seen.
  ggml_tensor* const keys = values("k", {1, 4}, {0.0F, 0.0F, 0.0F, 9.0F});
  ggml_tensor* const queries = values("q", {1, 1, 2}, {1.0F, 1.0F});
  ggml_tensor* const scores = node(ggml_mul_mat(ggml_, keys, queries), "kq-2");
  ggml_tensor* const mask = values("mask", {4, 1}, {0.0F, 0.0F, 0.0F, -INFINITY});
  node(ggml_soft_max_ext(ggml_, scores, mask, 1.0F, 0.0F), "kq_soft_max-2");
  ValueSampler sampler({.every = 1, .sparsity_threshold = 0.5});
  sample(sampler);
  const SampledValues sampled = sampler.take();
  EXPECT_EQ(sampled.sparsity_threshold, 0.5);
  ASSERT_THAT(sampled.attention, SizeIs(2));
  for (std::size_t head = 0; head < 2; ++head) {
    const AttentionValues& attention = sampled.attention[head];
    EXPECT_EQ(attention.layer, 2);
    EXPECT_EQ(attention.head, static_cast<std::int32_t>(head));
    EXPECT_NEAR(attention.entropy_nats, std::log(3.0), 1e-6);
    EXPECT_NEAR(attention.maximum_weight, 1.0 / 3.0, 1e-6);
    EXPECT_EQ(attention.sparsity, 1.0);
  }
}

TEST_F(ValueSamplerTest, AttentionThatCannotBeReadIsCounted) {
  const std::vector<float> ones(16, 1.0F);  // two streams of one head over four positions
  ggml_tensor* const query = values("q", {2, 4, 1, 2}, ones);
  ggml_tensor* const key = values("k", {2, 4, 1, 2}, ones);
  ggml_tensor* const value = values("v", {2, 4, 1, 2}, ones);
  node(ggml_flash_attn_ext(ggml_, query, key, value, nullptr, 1.0F, 0.0F, 0.0F), "__fattn__-2");
  ValueSampler sampler({.every = 1});
  sample(sampler);
  EXPECT_EQ(sampler.unread_attentions(), 1U);
  EXPECT_THAT(sampler.take().attention, IsEmpty());
}

TEST_F(ValueSamplerTest, ARouterOfAnotherKindIsCounted) {
  // Weights without an order: which experts they belong to is not known.
  ggml_tensor* const input = values("inp", {2, 1}, {1.0F, 0.0F});
  ggml_tensor* const weights =
      values("blk.5.ffn_gate_inp.weight", {2, 3}, {1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
  node(ggml_mul_mat(ggml_, weights, input), "router_of_a_new_kind-5");
  ValueSampler sampler({.every = 1});
  sample(sampler);
  EXPECT_EQ(sampler.unread_routers(), 1U);
  EXPECT_THAT(sampler.take().experts, IsEmpty());
}

TEST_F(ValueSamplerTest, StoresAndScansHaveNoResultOfTheirOwn) {
  ggml_tensor* const cache = ggml_new_tensor_2d(ggml_, GGML_TYPE_F16, 4, 8);
  ggml_set_name(cache, "cache_k_l0");
  ggml_tensor* const at = ggml_new_tensor_1d(ggml_, GGML_TYPE_I64, 1);
  *static_cast<std::int64_t*>(at->data) = 2;
  node(ggml_set_rows(ggml_, cache, values("Kcur-0", {4, 1}, {1.0F, 2.0F, 3.0F, 4.0F}), at),
       "cache_k_l0 (view)");
  ValueSampler sampler({.every = 1});
  sample(sampler);
  EXPECT_THAT(sampler.take().activations, IsEmpty());
}

TEST_F(ValueSamplerTest, OnePassInSoManyAndWhatIsOwed) {
  ValueSampler sampler({.every = 3});
  EXPECT_TRUE(sampler.is_due());  // the first
  EXPECT_TRUE(sampler.is_due());  // it could not be: still owed
  sampler.begin(Phase::decode, 0);
  sampler.end(true);
  EXPECT_FALSE(sampler.is_due());
  EXPECT_TRUE(sampler.is_due());  // the fourth
  sampler.begin(Phase::decode, 0);
  sampler.end(false);  // the graph was another
  EXPECT_TRUE(sampler.is_due());
  sampler.begin(Phase::decode, 0);
  sampler.end(true);
  EXPECT_FALSE(sampler.is_due());
  EXPECT_TRUE(sampler.is_due());  // the seventh
  EXPECT_EQ(sampler.take().passes, 2U);
}

TEST_F(ValueSamplerTest, APassThatWasNotWholeIsForgotten) {
  ggml_tensor* const input = values("inp", {2, 1}, {1.0F, 2.0F});
  ggml_tensor* const scaled = ggml_set_name(ggml_scale(ggml_, input, 1.0F), "inp_scaled");
  std::memcpy(scaled->data, input->data, 2 * sizeof(float));
  ValueSampler sampler({.every = 1});
  EXPECT_TRUE(sampler.is_due());
  sampler.begin(Phase::decode, 0);
  sampler.read(*scaled, {.activation = true}, {.component = "embedding"});
  sampler.end(false);
  EXPECT_THAT(sampler.take().activations, IsEmpty());
}

}  // namespace
}  // namespace enprof
