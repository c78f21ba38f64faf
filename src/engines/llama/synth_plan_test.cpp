#include "engines/llama/synth_plan.hpp"

#include "engines/llama/gguf_check.hpp"
#include "engines/llama/llama_log.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <string>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::Not;

std::vector<std::string> names_of(const std::vector<PlannedTensor>& plan) {
  std::vector<std::string> names;
  std::ranges::transform(plan, std::back_inserter(names), &PlannedTensor::name);
  return names;
}

std::vector<PlannedTensor> plan_of(const SynthOptions& options) {
  start_llama();
  const testing::TempDir directory;
  const auto plan = plan_tensors(*find_arch(options.architecture), *find_weight_type(options.type),
                                 options, 1000, directory.path() / "scratch");
  EXPECT_TRUE(plan.has_value()) << plan.error().message;
  return plan.value_or(std::vector<PlannedTensor>{});
}

TEST(SynthPlan, HasWhatPublishedModelsHave) {
  const auto llama = plan_of(testing::tiny_shape("", "llama"));
  EXPECT_EQ(llama.size(), 3 + 2 * 9U);
  EXPECT_THAT(names_of(llama), Contains("output.weight"));
  EXPECT_THAT(names_of(llama), Not(Contains("blk.0.attn_q.bias")));
  EXPECT_THAT(names_of(llama), Not(Contains("rope_freqs.weight")));
  EXPECT_THAT(names_of(plan_of(testing::tiny_shape("", "qwen2"))), Contains("blk.1.attn_k.bias"));
  EXPECT_THAT(names_of(plan_of(testing::tiny_shape("", "qwen3"))),
              Contains("blk.1.attn_k_norm.weight"));
  const auto phi = names_of(plan_of(testing::tiny_shape("", "phi3")));
  EXPECT_THAT(phi, Contains("blk.0.attn_qkv.weight"));
  EXPECT_THAT(phi, Not(Contains("blk.0.attn_q.weight")));
  EXPECT_THAT(names_of(plan_of(testing::tiny_shape("", "gemma"))), Not(Contains("output.weight")));
}

TEST(SynthPlan, RepeatsTheLayersAndPutsTheVocabularyIn) {
  SynthOptions options = testing::tiny_shape("");
  options.layers = 7;
  const auto plan = plan_of(options);
  const auto shape_of = [&plan](const char* name) {
    const auto found = std::ranges::find(plan, name, &PlannedTensor::name);
    return found == plan.end() ? std::array<std::int64_t, 4>{} : found->shape;
  };
  EXPECT_EQ(plan.size(), 3 + 7 * 9U);
  EXPECT_EQ(shape_of("output.weight"), (std::array<std::int64_t, 4>{64, 1000, 1, 1}));
  EXPECT_EQ(shape_of("blk.6.attn_k.weight"), (std::array<std::int64_t, 4>{64, 32, 1, 1}));
  EXPECT_EQ(shape_of("blk.6.ffn_down.weight"), (std::array<std::int64_t, 4>{128, 64, 1, 1}));
}

class SynthPlanTypes : public ::testing::TestWithParam<const char*> {};

/// Compares the plan with what llama_model_quantize really makes of the same model in F32.
TEST_P(SynthPlanTypes, AreThoseOfRealQuantization) {
  const testing::TempDir directory;
  SynthOptions options = testing::tiny_shape(directory.path() / "f32.gguf");
  options.type = "f32";
  options.layers = 6;
  options.embd = 256;
  options.ff = 288;  // not a multiple of 256: llama.cpp falls back
  testing::make_model(options);
  const WeightType* type = find_weight_type(GetParam());
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = type->ftype;
  const auto quantized = directory.path() / "quantized.gguf";
  ASSERT_EQ(llama_model_quantize(options.output.c_str(), quantized.c_str(), &params), 0U);
  const auto real = check_model(quantized);
  ASSERT_TRUE(real);

  const auto plan =
      plan_tensors(*find_arch("llama"), *type, options, 32000, directory.path() / "s");
  ASSERT_TRUE(plan) << plan.error().message;
  const gguf_context* gguf = real->metadata.gguf();
  ASSERT_EQ(static_cast<std::int64_t>(plan->size()), gguf_get_n_tensors(gguf));
  for (const PlannedTensor& tensor : *plan) {
    const std::int64_t id = gguf_find_tensor(gguf, tensor.name.c_str());
    ASSERT_GE(id, 0) << tensor.name;
    EXPECT_STREQ(ggml_type_name(tensor.type), ggml_type_name(gguf_get_tensor_type(gguf, id)))
        << tensor.name;
    EXPECT_EQ(tensor.bytes(), gguf_get_tensor_size(gguf, id)) << tensor.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SynthPlanTypes,
                         ::testing::Values("f32", "f16", "q8_0", "q4_0", "q4_k_m", "q5_k_m",
                                           "q3_k_m"));

}  // namespace
}  // namespace enprof
