#include "engines/llama/gguf_hyperparameters.hpp"

#include <ggml.h>
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>

namespace enprof {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Change = std::function<void(gguf_context*)>;

void set_sound(gguf_context* gguf) {
  gguf_set_val_str(gguf, "general.architecture", "llama");
  gguf_set_val_u32(gguf, "llama.block_count", 2);
  gguf_set_val_u32(gguf, "llama.context_length", 128);
  gguf_set_val_u32(gguf, "llama.embedding_length", 64);
  gguf_set_val_u32(gguf, "llama.feed_forward_length", 128);
  gguf_set_val_u32(gguf, "llama.attention.head_count", 4);
  gguf_set_val_u32(gguf, "llama.attention.head_count_kv", 2);
  gguf_set_val_u32(gguf, "llama.rope.dimension_count", 16);
  gguf_set_val_f32(gguf, "llama.attention.layer_norm_rms_epsilon", 1e-5F);
}

Result<void> check(const Change& change) {
  gguf_context* gguf = gguf_init_empty();
  set_sound(gguf);
  change(gguf);
  return check_hyperparameters("m.gguf", GgufMetadata(GgufPtr(gguf)));
}

Change number(std::string key, std::uint32_t value) {
  return [key = "llama." + std::move(key), value](gguf_context* gguf) {
    gguf_set_val_u32(gguf, key.c_str(), value);
  };
}

Change real(std::string key, float value) {
  return [key = "llama." + std::move(key), value](gguf_context* gguf) {
    gguf_set_val_f32(gguf, key.c_str(), value);
  };
}

Change list(std::string key, std::array<std::int32_t, 2> values) {
  return [key = "llama." + std::move(key), values](gguf_context* gguf) {
    gguf_set_arr_data(gguf, key.c_str(), GGUF_TYPE_INT32, values.data(), values.size());
  };
}

struct Refused {
  Change change;
  const char* says;
};

class HyperparametersRefused : public ::testing::TestWithParam<Refused> {};

TEST_P(HyperparametersRefused, NamesTheKeyTheValueAndWhatItMustBe) {
  const auto checked = check(GetParam().change);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::corrupt);
  EXPECT_THAT(checked.error().message,
              AllOf(HasSubstr("m.gguf cannot be computed: llama."), HasSubstr(GetParam().says)));
  EXPECT_THAT(checked.error().hint, HasSubstr("another conversion"));
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

INSTANTIATE_TEST_SUITE_P(
    Values, HyperparametersRefused,
    ::testing::Values(
        Refused{real("attention.layer_norm_rms_epsilon", -1e-5F),
                "attention.layer_norm_rms_epsilon is -1e-05, and must be 0 or more"},
        Refused{real("attention.layer_norm_epsilon", kNan), "layer_norm_epsilon is nan"},
        Refused{real("attention.group_norm_epsilon", kInfinity), "group_norm_epsilon is inf"},
        Refused{real("rope.freq_base", 0.0F), "rope.freq_base is 0, and must be above 0"},
        Refused{real("rope.freq_base_swa", -1.0F), "rope.freq_base_swa is -1"},
        Refused{real("rope.scaling.factor", -2.0F), "rope.scaling.factor is -2"},
        Refused{real("logit_scale", kNan), "logit_scale is nan, and must be a number"},
        Refused{number("block_count", 0), "block_count is 0, and must be from 1 to 512"},
        Refused{number("block_count", 4'000'000'000), "block_count is 4000000000"},
        Refused{number("context_length", 0), "context_length is 0"},
        Refused{number("embedding_length", 0), "embedding_length is 0"},
        Refused{number("attention.head_count", 0), "attention.head_count is 0"},
        Refused{number("attention.head_count_kv", 0), "attention.head_count_kv is 0"},
        Refused{number("attention.head_count_kv", 3),
                "attention.head_count_kv is 3, and must be a divisor of "
                "llama.attention.head_count, which is 4"},
        Refused{number("attention.key_length", 0), "attention.key_length is 0"},
        Refused{number("attention.value_length", 0), "attention.value_length is 0"},
        Refused{number("rope.dimension_count", 15), "rope.dimension_count is 15, and must be even"},
        Refused{number("rope.dimension_count", 18),
                "rope.dimension_count is 18, and must be at most 16, the width of a head"},
        Refused{number("expert_used_count", 3),
                "expert_used_count is 3, and must be at most llama.expert_count, which is 0"},
        Refused{number("expert_count", 4), "expert_used_count is 0, and must be 1 or more"},
        Refused{number("expert_count", 1'000'000), "expert_count is 1000000"},
        Refused{number("full_attention_interval", 0), "full_attention_interval is 0"},
        Refused{number("interleave_moe_layer_step", 0), "interleave_moe_layer_step is 0"},
        Refused{number("ssm.inner_size", 0), "ssm.inner_size is 0"},
        Refused{number("ssm.conv_kernel", 0), "ssm.conv_kernel is 0"},
        Refused{number("ssm.group_count", 0), "ssm.group_count is 0"},
        Refused{number("wkv.head_size", 0), "wkv.head_size is 0"},
        Refused{number("wkv.head_size", 48), "wkv.head_size is 48, and must be a divisor of"},
        Refused{list("attention.head_count_kv", {2, -1}), "attention.head_count_kv is -1"},
        Refused{list("attention.head_count_kv", {2, 3}), "attention.head_count_kv is 3"}));

class HyperparametersAccepted : public ::testing::TestWithParam<Change> {};

TEST_P(HyperparametersAccepted, AreThoseOfModelsThatThereAre) {
  const auto checked = check(GetParam());
  EXPECT_TRUE(checked) << checked.error().message;
}

INSTANTIATE_TEST_SUITE_P(Values, HyperparametersAccepted,
                         ::testing::Values([](gguf_context*) {},
                                           real("attention.layer_norm_rms_epsilon", 0.0F),
                                           real("rope.scaling.factor", 0.0F),
                                           number("attention.sliding_window", 0),
                                           // Layers without attention, as in Deci and hybrid
                                           // models.
                                           list("attention.head_count_kv", {2, 0}),
                                           [](gguf_context* gguf) {
                                             number("attention.head_count", 0)(gguf);
                                             number("ssm.inner_size", 128)(gguf);
                                             number("ssm.conv_kernel", 4)(gguf);
                                           },
                                           [](gguf_context* gguf) {
                                             number("expert_count", 4)(gguf);
                                             number("expert_used_count", 2)(gguf);
                                           }));

TEST(Hyperparameters, AnEmptyVocabularyIsRefused) {
  const auto checked = check(
      [](gguf_context* gguf) { gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", nullptr, 0); });
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("tokenizer.ggml.tokens is an empty list"));
}

TEST(WeightTypes, AQuantizedNormIsRefused) {
  ggml_context* tensors =
      ggml_init({.mem_size = 1U << 20U, .mem_buffer = nullptr, .no_alloc = true});
  const auto check_type = [&](ggml_type type) {
    const GgufPtr gguf(gguf_init_empty());
    ggml_tensor* norm = ggml_new_tensor_1d(tensors, type, 64);
    ggml_set_name(norm, "blk.0.attn_norm.weight");
    gguf_add_tensor(gguf.get(), norm);
    return check_weight_types("m.gguf", gguf.get());
  };
  EXPECT_TRUE(check_type(GGML_TYPE_F32));
  const auto refused = check_type(GGML_TYPE_Q8_0);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("blk.0.attn_norm.weight"), HasSubstr("q8_0")));
  ggml_free(tensors);
}

}  // namespace
}  // namespace enprof
