#include "engines/llama/node_work.hpp"

#include "engines/llama/llama_handles.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

/// Tests that each op is mapped to its formula, with its tensors in their places; the tests of
/// OperationWork check the formulas themselves.
class NodeWorkTest : public ::testing::Test {
 protected:
  ggml_tensor* tensor(std::int64_t a, std::int64_t b = 1, std::int64_t c = 1, std::int64_t d = 1,
                      ggml_type type = GGML_TYPE_F32) {
    return ggml_new_tensor_4d(ggml_, type, a, b, c, d);
  }
  static void expect(const ggml_tensor* node, std::optional<double> flops, double bytes) {
    const OperationWork work = node_work(*node);
    EXPECT_EQ(work.flops, flops) << ggml_op_desc(node);
    EXPECT_EQ(work.bytes, bytes) << ggml_op_desc(node);
  }

  GgmlContextPtr context_{ggml_init(
      {.mem_size = 256 * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true})};
  ggml_context* ggml_ = context_.get();
};

TEST_F(NodeWorkTest, Matrices) {
  ggml_tensor* const weights = tensor(64, 16, 1, 1, GGML_TYPE_Q8_0);
  expect(ggml_mul_mat(ggml_, weights, tensor(64, 3)), 2.0 * 64 * 16 * 3,
         64.0 * 16 / 32 * 34 + 64 * 3 * 4 + 16 * 3 * 4);
  ggml_tensor* const experts = tensor(64, 16, 8);
  ggml_tensor* const ids = tensor(2, 3, 1, 1, GGML_TYPE_I32);
  expect(ggml_mul_mat_id(ggml_, experts, tensor(64, 1, 3), ids), 2.0 * 64 * 16 * 2 * 3,
         6 * 64 * 16 * 4 + 64 * 3 * 4 + 6 * 4 + 16 * 2 * 3 * 4);
}

TEST_F(NodeWorkTest, Rows) {
  ggml_tensor* const rows = tensor(5, 1, 1, 1, GGML_TYPE_I32);
  expect(ggml_get_rows(ggml_, tensor(64, 1000), rows), 0.0, 5 * 64 * 4 + 5 * 4 + 5 * 64 * 4);
  ggml_tensor* const cache = tensor(64, 1000, 1, 1, GGML_TYPE_F16);
  expect(ggml_set_rows(ggml_, cache, tensor(64, 5), tensor(5, 1, 1, 1, GGML_TYPE_I64)), 0.0,
         5 * 64 * 4 + 5 * 8 + 5 * 64 * 2);
}

TEST_F(NodeWorkTest, OneByOne) {
  expect(ggml_add(ggml_, tensor(10), tensor(10)), 10.0, 120);
  expect(ggml_scale(ggml_, tensor(10), 2.0F), 10.0, 80);
  expect(ggml_silu(ggml_, tensor(10)), 40.0, 80);
  expect(ggml_gelu(ggml_, tensor(10)), 90.0, 80);
  expect(ggml_swiglu_split(ggml_, tensor(10), tensor(10)), 50.0, 120);
  expect(ggml_swiglu(ggml_, tensor(20)), 50.0, 120);
  expect(ggml_swiglu_oai(ggml_, tensor(10), tensor(10), 1.702F, 7.0F), 70.0, 120);
  expect(ggml_swiglu_clamp(ggml_, tensor(10), tensor(10), 7.0F), 50.0, 120);
  expect(ggml_softplus(ggml_, tensor(10)), 30.0, 80);
  expect(ggml_add_id(ggml_, tensor(10, 2, 3), tensor(10, 32), tensor(2, 3, 1, 1, GGML_TYPE_I32)),
         60.0, 4 * (3 * 60 + 6));
  expect(ggml_geglu_split(ggml_, tensor(10), tensor(10)), 100.0, 120);
  expect(ggml_cont(ggml_, tensor(10)), 0.0, 80);
  expect(ggml_clamp(ggml_, tensor(10), 0.0F, 1.0F), 0.0, 80);
  expect(ggml_cpy(ggml_, tensor(10), tensor(10, 1, 1, 1, GGML_TYPE_F16)), 0.0, 60);
  expect(ggml_sum_rows(ggml_, tensor(10, 2)), 20.0, 88);
  expect(ggml_argsort(ggml_, tensor(10), GGML_SORT_ORDER_DESC), 0.0, 80);
}

TEST_F(NodeWorkTest, Norms) {
  expect(ggml_rms_norm(ggml_, tensor(10, 2), 1e-5F), 3.0 * 20 + 4 * 2, 160);
  expect(ggml_norm(ggml_, tensor(10, 2), 1e-5F), 5.0 * 20 + 5 * 2, 160);
  expect(ggml_l2_norm(ggml_, tensor(10, 2), 1e-5F), 3.0 * 20 + 2 * 2, 160);
  const ggml_tensor* const norm = ggml_rms_norm(ggml_, tensor(10, 2), 1e-5F);
  ggml_tensor* const weights = tensor(10);
  const auto fused =
      fused_norm_work(*norm, *ggml_mul(ggml_, const_cast<ggml_tensor*>(norm), weights));
  EXPECT_EQ(fused.flops, 4.0 * 20 + 4 * 2);
  EXPECT_EQ(fused.bytes, 80 + 40 + 80);
}

TEST_F(NodeWorkTest, Attention) {
  ggml_tensor* const scores = tensor(256, 1, 4);
  expect(ggml_soft_max_ext(ggml_, scores, tensor(256, 1), 1.0F, 0.0F), 6.0 * 1024,
         2 * 4096 + 256 * 4);
  ggml_tensor* const keys = tensor(16, 256, 2, 1, GGML_TYPE_F16);
  expect(ggml_flash_attn_ext(ggml_, tensor(16, 1, 4), keys, keys,
                             tensor(256, 1, 1, 1, GGML_TYPE_F16), 1.0F, 0.0F, 0.0F),
         4.0 * 256 * (2 * 16 + 6 + 2 * 16),
         16 * 4 * 4 + 2 * (16 * 256 * 2 * 2) + 256 * 2 + 16 * 4 * 4);
}

TEST_F(NodeWorkTest, RopeRotatesAPartOfARow) {
  ggml_tensor* const positions = tensor(2, 1, 1, 1, GGML_TYPE_I32);
  const auto flops = [&](int rotated) {
    return node_work(*ggml_rope_ext(ggml_, tensor(16, 4, 2), positions, nullptr, rotated, 0, 0,
                                    10000.0F, 1.0F, 0.0F, 1.0F, 0.0F, 0.0F))
        .flops;
  };
  ASSERT_TRUE(flops(16));
  EXPECT_EQ(*flops(16), 2.0 * *flops(8));
}

TEST_F(NodeWorkTest, LinearAttention) {
  const auto heads = [&] { return tensor(16, 4, 3); };
  const double states = 16.0 * 16 * 4 * 3;
  const double values = 16.0 * 4 * 3;
  ggml_tensor* const state = tensor(1024, 1);
  const auto flops = [](const ggml_tensor* node) { return node_work(*node).flops; };
  EXPECT_EQ(flops(ggml_rwkv_wkv6(ggml_, heads(), heads(), heads(), tensor(16, 4), heads(), state)),
            7 * states);
  EXPECT_EQ(
      flops(ggml_rwkv_wkv7(ggml_, heads(), heads(), heads(), heads(), heads(), heads(), state)),
      9 * states);
  EXPECT_EQ(flops(ggml_gated_linear_attn(ggml_, heads(), heads(), heads(), heads(), state, 1.0F)),
            5 * states + values);
  EXPECT_EQ(flops(ggml_gated_delta_net(ggml_, tensor(16, 2, 3), tensor(16, 2, 3), heads(),
                                       tensor(1, 4, 3), tensor(1, 4, 3), tensor(16, 16, 4), 1)),
            7 * states + 3 * values + 4 * 3);
}

TEST_F(NodeWorkTest, WhatIsNotKnownIsAbsent) {
  const OperationWork work = node_work(*ggml_pool_1d(ggml_, tensor(10), GGML_OP_POOL_MAX, 2, 2, 0));
  EXPECT_EQ(work.flops, std::nullopt);
  EXPECT_EQ(work.bytes, 60);
  EXPECT_EQ(node_work(*ggml_hardswish(ggml_, tensor(10))).flops, std::nullopt);
}

}  // namespace
}  // namespace enprof
