#include "experiment/analysis/model_work.hpp"

#include "experiment/analysis/analysis_test_support.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace enprof {
namespace {

using testing::facts_of;
using testing::mixture_of;

TEST(ModelWork, ADenseModelReadsAllButTheEmbedding) {
  const ModelFacts facts = facts_of(4, 256);
  const auto shape = model_shape(facts).value();
  EXPECT_FALSE(shape.is_tied);
  EXPECT_NEAR(shape.all(), static_cast<double>(*facts.parameters), 1.0);
  EXPECT_NEAR(active_parameters(facts).value(),
              static_cast<double>(*facts.parameters) - 32'000.0 * 256.0, 1.0);
  EXPECT_NEAR(bits_per_weight(facts).value(), 8.5, 1e-5);
}

TEST(ModelWork, ATiedOutputIsReadWhole) {
  ModelFacts facts = facts_of(4, 256);
  *facts.parameters -= std::uint64_t{32'000} * 256;
  EXPECT_TRUE(model_shape(facts).value().is_tied);
  EXPECT_NEAR(active_parameters(facts).value(), static_cast<double>(*facts.parameters), 1.0);
}

TEST(ModelWork, AMixtureReadsTheExpertsThatItUses) {
  const ModelFacts facts = mixture_of(2, 128, 8);
  // Attention 4 · 128², two experts 2 · 12 · 128², the router 128 · 8, each twice; the output.
  const double active = 2.0 * (4.0 + 24.0) * 128.0 * 128.0 + 2.0 * 128.0 * 8.0 + 32'000.0 * 128.0;
  EXPECT_NEAR(active_parameters(facts).value(), active, 1.0);
  ModelFacts strange = facts;
  *strange.parameters *= 2;
  EXPECT_FALSE(model_shape(strange));
  EXPECT_FALSE(active_parameters(strange));  // rather none than a wrong one
}

TEST(ModelWork, AModelOfUnknownShapeReadsAllOfIt) {
  ModelFacts facts;
  facts.parameters = 1000;
  EXPECT_FALSE(model_shape(facts));
  EXPECT_EQ(active_parameters(facts), 1000.0);
  EXPECT_FALSE(active_parameters(ModelFacts{}));
  EXPECT_FALSE(decode_work(facts, 10.0));  // neither layers nor bytes are known
}

TEST(ModelWork, OfADecodedToken) {
  const ModelFacts facts = facts_of(4, 256);
  const TokenWork work = decode_work(facts, 100.0).value();
  const double active = active_parameters(facts).value();
  EXPECT_NEAR(work.weight_bytes, active * 8.5 / 8.0, 1e-5 * active);
  // Keys and values, F16, in 4 layers of 256.
  EXPECT_DOUBLE_EQ(work.cache_bytes, 2.0 * 2.0 * 4.0 * 256.0 * 100.0);
  EXPECT_DOUBLE_EQ(work.flops, 2.0 * active + 4.0 * 4.0 * 256.0 * 100.0);
  const TokenWork shared = decode_work(facts, 100.0, 4.0).value();
  EXPECT_DOUBLE_EQ(shared.weight_bytes, work.weight_bytes / 4.0);
  EXPECT_DOUBLE_EQ(shared.cache_bytes, work.cache_bytes);
  EXPECT_DOUBLE_EQ(shared.flops, work.flops);
}

TEST(ModelWork, OfATokenOfAPrompt) {
  const ModelFacts facts = facts_of(4, 256);
  const TokenWork whole = prefill_work(facts, 512.0, 512.0).value();
  const TokenWork parts = prefill_work(facts, 512.0, 64.0).value();
  EXPECT_DOUBLE_EQ(whole.layer_passes, 4.0 / 512.0);
  EXPECT_DOUBLE_EQ(parts.layer_passes, 8.0 * 4.0 / 512.0);
  // All but the output's matrix is read eight times.
  const double body = active_parameters(facts).value() - 32'000.0 * 256.0;
  EXPECT_NEAR(parts.weight_bytes - whole.weight_bytes, 7.0 * body * 8.5 / 8.0 / 512.0, 1.0);
  EXPECT_DOUBLE_EQ(parts.flops, whole.flops);
  EXPECT_FALSE(prefill_work(facts, 0.0, 512.0));
}

}  // namespace
}  // namespace enprof
