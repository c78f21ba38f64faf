#include "engines/llama/attention_weights.hpp"

#include "engines/llama/llama_handles.hpp"

#include <ggml-cpu.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

namespace enprof {
namespace {

constexpr std::int64_t kWidth = 20;  // not a multiple of the number of lanes

struct Shape {
  std::string name;
  std::int64_t queries = 1;
  std::int64_t heads = 4;
  std::int64_t key_heads = 2;
  std::int64_t positions = 33;
  float max_bias = 0.0F;
  float cap = 0.0F;
  bool sinks = false;
  ggml_type key_type = GGML_TYPE_F16;
};
// Names the case of a failing test.
std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.name; }

/// Compares with ggml's own softmax of the scores, which it stores.
class AttentionWeightsTest : public ::testing::TestWithParam<Shape> {
 protected:
  AttentionWeightsTest()
      : context_(ggml_init({.mem_size = 16U << 20U, .mem_buffer = nullptr, .no_alloc = false})) {}

  /// Reproducible numbers without a pattern.
  ggml_tensor* filled(ggml_type type, std::vector<std::int64_t> shape, float size) {
    ggml_tensor* tensor =
        ggml_new_tensor(context_.get(), type, static_cast<int>(shape.size()), shape.data());
    for (std::int64_t i = 0; i < ggml_nelements(tensor); ++i) {
      seed_ = seed_ * 1664525U + 1013904223U;
      const float value = size * (static_cast<float>(seed_ >> 8U) / 16777216.0F - 0.5F);
      if (type == GGML_TYPE_F16) {
        static_cast<ggml_fp16_t*>(tensor->data)[i] = ggml_fp32_to_fp16(value);
      } else {
        static_cast<float*>(tensor->data)[i] = value;
      }
    }
    return tensor;
  }

  /// Query i may see all but the last few positions; each query sees one more.
  ggml_tensor* causal_mask(const Shape& shape, ggml_type type) {
    ggml_tensor* mask = ggml_new_tensor_2d(context_.get(), type, shape.positions, shape.queries);
    for (std::int64_t query = 0; query < shape.queries; ++query) {
      for (std::int64_t position = 0; position < shape.positions; ++position) {
        const std::int64_t last = shape.positions - 2 - (shape.queries - 1 - query);
        const float value = position > last         ? -std::numeric_limits<float>::infinity()
                            : shape.max_bias > 0.0F ? -static_cast<float>(last - position)
                                                    : 0.0F;
        const auto at = query * shape.positions + position;
        if (type == GGML_TYPE_F16) {
          static_cast<ggml_fp16_t*>(mask->data)[at] = ggml_fp32_to_fp16(value);
        } else {
          static_cast<float*>(mask->data)[at] = value;
        }
      }
    }
    return mask;
  }

  GgmlContextPtr context_;
  std::uint32_t seed_ = 1;
};

TEST_P(AttentionWeightsTest, AreThoseOfTheSoftmax) {
  const Shape& shape = GetParam();
  ggml_context* const ggml = context_.get();
  ggml_tensor* const query =
      filled(GGML_TYPE_F32, {kWidth, shape.heads, shape.queries}, 4.0F);  // as in llama.cpp
  ggml_tensor* const key = filled(shape.key_type, {kWidth, shape.key_heads, shape.positions}, 4.0F);
  ggml_tensor* const value =
      filled(GGML_TYPE_F16, {kWidth, shape.key_heads, shape.positions}, 1.0F);
  ggml_tensor* const q = ggml_permute(ggml, query, 0, 2, 1, 3);
  ggml_tensor* const k = ggml_permute(ggml, key, 0, 2, 1, 3);
  ggml_tensor* const v = ggml_permute(ggml, value, 0, 2, 1, 3);
  ggml_tensor* const sinks = shape.sinks ? filled(GGML_TYPE_F32, {shape.heads}, 4.0F) : nullptr;
  const float scale = 1.0F / std::sqrt(static_cast<float>(kWidth));

  ggml_tensor* const flash = ggml_flash_attn_ext(ggml, q, k, v, causal_mask(shape, GGML_TYPE_F16),
                                                 scale, shape.max_bias, shape.cap);
  ggml_flash_attn_ext_add_sinks(flash, sinks);
  ggml_tensor* scores = ggml_mul_mat(ggml, k, q);
  if (shape.cap != 0.0F) {
    scores =
        ggml_scale(ggml, ggml_tanh(ggml, ggml_scale(ggml, scores, scale / shape.cap)), shape.cap);
  }
  ggml_tensor* const weights = ggml_soft_max_ext(ggml, scores, causal_mask(shape, GGML_TYPE_F32),
                                                 shape.cap != 0.0F ? 1.0F : scale, shape.max_bias);
  ggml_soft_max_add_sinks(weights, sinks);
  ggml_cgraph* const graph = ggml_new_graph(ggml);
  ggml_build_forward_expand(graph, weights);
  ASSERT_EQ(ggml_graph_compute_with_ctx(ggml, graph, 1), GGML_STATUS_SUCCESS);

  AttentionWeights computed;
  ASSERT_TRUE(compute_attention_weights(*flash, computed));
  EXPECT_EQ(computed.columns, static_cast<std::size_t>(shape.positions));
  ASSERT_EQ(computed.rows.size(), static_cast<std::size_t>(ggml_nelements(weights)));
  ASSERT_EQ(computed.visible.size(), static_cast<std::size_t>(shape.queries));
  for (std::size_t i = 0; i < computed.rows.size(); ++i) {
    // ggml rounds the queries to the keys' type.
    ASSERT_NEAR(computed.rows[i], static_cast<const float*>(weights->data)[i], 3e-3) << i;
  }
  for (std::int64_t query_index = 0; query_index < shape.queries; ++query_index) {
    EXPECT_EQ(computed.visible[static_cast<std::size_t>(query_index)],
              static_cast<std::size_t>(shape.positions - shape.queries + query_index));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, AttentionWeightsTest,
    ::testing::Values(Shape{.name = "decode"}, Shape{.name = "several_queries", .queries = 5},
                      Shape{.name = "one_key_head", .key_heads = 1},
                      Shape{.name = "no_groups", .key_heads = 4},
                      Shape{.name = "alibi", .queries = 2, .max_bias = 8.0F},
                      Shape{.name = "alibi_of_six_heads", .heads = 6, .max_bias = 8.0F},
                      Shape{.name = "soft_cap", .cap = 2.0F},
                      Shape{.name = "sinks", .queries = 2, .sinks = true},
                      Shape{.name = "keys_in_f32", .key_type = GGML_TYPE_F32}),
    [](const auto& instance) { return instance.param.name; });

TEST_F(AttentionWeightsTest, SeveralStreamsAreLeftAlone) {
  ggml_context* const ggml = context_.get();
  ggml_tensor* const q = filled(GGML_TYPE_F32, {kWidth, 1, 2, 2}, 1.0F);
  ggml_tensor* const k = filled(GGML_TYPE_F16, {kWidth, 8, 2, 2}, 1.0F);
  ggml_tensor* const v = filled(GGML_TYPE_F16, {kWidth, 8, 2, 2}, 1.0F);
  AttentionWeights weights;
  EXPECT_FALSE(compute_attention_weights(
      *ggml_flash_attn_ext(ggml, q, k, v, nullptr, 1.0F, 0.0F, 0.0F), weights));
}

}  // namespace
}  // namespace enprof
