#include "attribution/pass_sharing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <ranges>
#include <utility>

namespace enprof {
namespace {

using Batch = std::vector<BatchSequence>;

BatchSequence sequence(std::int32_t id, std::int32_t position, std::uint32_t tokens,
                       std::uint32_t outputs = 1) {
  return {.id = id, .first_position = position, .tokens = tokens, .outputs = outputs};
}

OperationInfo operation(const char* component, const char* op, std::int32_t layer = 0,
                        std::array<std::int64_t, 4> shape = {64, 1, 1, 1}) {
  OperationInfo info;
  info.layer = layer;
  info.component = component;
  info.op = op;
  info.shape = shape;
  return info;
}

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

ModelFacts small_model() {
  ModelFacts facts;
  facts.parameters = 1'100'000'000;
  facts.weight_bytes = 1'170'000'000;
  facts.layers = 22;
  facts.embedding_width = 2048;
  facts.heads = 32;
  facts.kv_heads = 4;
  facts.vocabulary = 32000;
  return facts;
}

Batch random_batch(std::mt19937& random) {
  const auto pick = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  Batch batch;
  for (int count = pick(1, 8); count > 0; --count) {
    const auto tokens = static_cast<std::uint32_t>(pick(0, 3) == 0 ? pick(1, 512) : 1);
    batch.push_back(sequence(count, pick(0, 8000), tokens,
                             static_cast<std::uint32_t>(pick(0, 1)) * std::min(tokens, 1U)));
  }
  return batch;
}

TEST(PassSharing, CountsQueriesTimesKeys) {
  EXPECT_EQ(attention_pairs(sequence(0, 0, 1)), 1.0);
  EXPECT_EQ(attention_pairs(sequence(0, 0, 4)), 1.0 + 2.0 + 3.0 + 4.0);
  EXPECT_EQ(attention_pairs(sequence(0, 99, 1)), 100.0);
  EXPECT_EQ(attention_pairs(sequence(0, 10, 3)), 11.0 + 12.0 + 13.0);
  EXPECT_EQ(attention_pairs(sequence(0, 10, 0)), 0.0);
}

TEST(PassSharing, AWindowBoundsTheKeysOfAQuery) {
  EXPECT_EQ(attention_pairs(sequence(0, 0, 4), 3), 1.0 + 2.0 + 3.0 + 3.0);
  EXPECT_EQ(attention_pairs(sequence(0, 99, 2), 50), 100.0);
  EXPECT_EQ(attention_pairs(sequence(0, 49, 1), 50), 50.0);
}

TEST(PassSharing, OperationsAreSharedByWhatTheyDo) {
  OperationPlan plan;
  plan.operations = {operation("embedding", "GET_ROWS", -1),
                     operation("q_proj", "MUL_MAT"),
                     operation("kv_cache_store", "SET_ROWS"),
                     operation("qk_matmul", "MUL_MAT", 0, {256, 1, 8, 1}),
                     operation("softmax", "SOFT_MAX", 0, {256, 1, 8, 1}),
                     operation("value_matmul", "MUL_MAT"),
                     operation("o_proj", "MUL_MAT"),
                     operation("recurrent_state", "CPY", 1),
                     operation("ssm_scan", "SSM_SCAN", 1),
                     operation("attention", "FLASH_ATTN_EXT", 2),
                     operation("get_rows", "GET_ROWS", 2),
                     operation("down_proj", "MUL_MAT", 2),
                     operation("lm_head", "MUL_MAT", -1)};
  std::vector<SharedBy> by;
  for (const OperationSharing& sharing : sharing_of(plan)) {
    by.push_back(sharing.by);
  }
  using enum SharedBy;
  EXPECT_EQ(by, (std::vector{tokens, tokens, tokens, attention, attention, attention, tokens,
                             sequences, tokens, attention, outputs, outputs, outputs}));
  EXPECT_EQ(sharing_of(plan)[5].most_keys, 256U);
  EXPECT_EQ(sharing_of(plan)[9].most_keys, OperationSharing::kAllKeys);
}

TEST(PassSharing, ThePartsOfAPassSelectTheirRowsEach) {
  OperationPlan plan;
  for (int part = 0; part < 2; ++part) {
    plan.operations.push_back(operation("q_proj", "MUL_MAT", 0));
    plan.operations.push_back(operation("get_rows", "GET_ROWS", 1));
    plan.operations.push_back(operation("down_proj", "MUL_MAT", 1));
    plan.operations.push_back(operation("lm_head", "MUL_MAT", -1));
  }
  const std::vector<OperationSharing> sharing = sharing_of(plan);
  using enum SharedBy;
  EXPECT_EQ(sharing[4].by, tokens);
  EXPECT_EQ(sharing[6].by, outputs);
}

TEST(PassSharing, APromptBesideTwoTokensHasTheirPartOfEach) {
  const Batch batch{sequence(0, 0, 98, 1), sequence(1, 999, 1), sequence(2, 0, 1, 0)};
  EXPECT_EQ(shares_of(batch, {}), (std::vector{0.98, 0.01, 0.01}));
  EXPECT_EQ(shares_of(batch, {.by = SharedBy::outputs}), (std::vector{0.5, 0.5, 0.0}));
  const double pairs = 98.0 * 99.0 / 2.0 + 1000.0 + 1.0;
  const std::vector<double> attention = shares_of(batch, {.by = SharedBy::attention});
  EXPECT_NEAR(attention[0], 98.0 * 99.0 / 2.0 / pairs, 1e-12);
  EXPECT_NEAR(attention[1], 1000.0 / pairs, 1e-12);
  EXPECT_NEAR(shares_of(batch, {.by = SharedBy::sequences})[2], 1.0 / 3.0, 1e-12);
}

TEST(PassSharing, AttentionIsUncertainWhereQueriesAndKeysDiffer) {
  const OperationSharing attention{.by = SharedBy::attention};
  // One token each: pairs are keys.
  for (const double deviation :
       share_deviations(Batch{sequence(0, 99, 1), sequence(1, 899, 1)}, attention)) {
    EXPECT_NEAR(deviation, 0.0, 1e-12);
  }
  // A prompt of 100 tokens beside one token that sees 200 keys: 5050 to 200, or 100 to 200.
  const Batch mixed{sequence(0, 0, 100), sequence(1, 199, 1)};
  const std::vector<double> deviations = share_deviations(mixed, attention);
  EXPECT_NEAR(deviations[1], (200.0 / 300.0 - 200.0 / 5250.0) / std::sqrt(12.0), 1e-12);
  EXPECT_TRUE(share_deviations(mixed, {}).empty());
  EXPECT_TRUE(share_deviations(Batch{sequence(0, 0, 100)}, attention).empty());
}

TEST(PassSharing, WhatNobodyWantsIsSharedByTokens) {
  const Batch batch{sequence(0, 0, 3, 0), sequence(1, 5, 1, 0)};
  EXPECT_EQ(shares_of(batch, {.by = SharedBy::outputs}), (std::vector{0.75, 0.25}));
  EXPECT_TRUE(shares_of({}, {}).empty());
  EXPECT_EQ(shares_of(Batch{sequence(0, 0, 0, 0), sequence(1, 0, 0, 0)}, {}),
            (std::vector{0.5, 0.5}));
}

TEST(PassSharing, RandomBatchesAreSharedWholly) {
  std::mt19937 random(7);
  const auto model = PassModel::of(small_model());
  ASSERT_TRUE(model);
  for (int round = 0; round < 500; ++round) {
    const Batch batch = random_batch(random);
    for (const SharedBy by :
         {SharedBy::tokens, SharedBy::outputs, SharedBy::attention, SharedBy::sequences}) {
      const std::vector<double> shares = shares_of(batch, {.by = by, .most_keys = 4096});
      EXPECT_NEAR(sum(shares), 1.0, 1e-12);
      EXPECT_GE(std::ranges::min(shares), 0.0);
    }
    EXPECT_NEAR(sum(modelled_shares(model, batch).shares), 1.0, 1e-12);
  }
}

TEST(PassSharing, TheOrderOfSequencesDoesNotMatter) {
  std::mt19937 random(8);
  const auto model = PassModel::of(small_model());
  for (int round = 0; round < 200; ++round) {
    Batch batch = random_batch(random);
    const std::vector<double> shares = shares_of(batch, {.by = SharedBy::attention});
    const std::vector<double> modelled = modelled_shares(model, batch).shares;
    std::vector<std::size_t> order(batch.size());
    std::ranges::copy(std::views::iota(std::size_t{0}, order.size()), order.begin());
    std::ranges::shuffle(order, random);
    Batch shuffled;
    for (const std::size_t index : order) {
      shuffled.push_back(batch[index]);
    }
    const std::vector<double> again = shares_of(shuffled, {.by = SharedBy::attention});
    const std::vector<double> modelled_again = modelled_shares(model, shuffled).shares;
    for (std::size_t index = 0; index < order.size(); ++index) {
      EXPECT_NEAR(again[index], shares[order[index]], 1e-12);
      EXPECT_NEAR(modelled_again[index], modelled[order[index]], 1e-12);
    }
  }
}

TEST(PassSharing, OneSequenceHasEverything) {
  const Batch batch{sequence(3, 17, 5, 0)};
  for (const SharedBy by :
       {SharedBy::tokens, SharedBy::outputs, SharedBy::attention, SharedBy::sequences}) {
    EXPECT_EQ(shares_of(batch, {.by = by}), std::vector{1.0});
  }
  const ModelledShares modelled = modelled_shares(PassModel::of(small_model()), batch);
  EXPECT_EQ(modelled.shares, std::vector{1.0});
  EXPECT_EQ(modelled.deviations, std::vector{0.0});
}

TEST(PassSharing, AModelledPassChargesLongContextsMore) {
  const auto model = PassModel::of(small_model());
  const Batch batch{sequence(0, 100, 1), sequence(1, 30000, 1)};
  const ModelledShares modelled = modelled_shares(model, batch);
  EXPECT_GT(modelled.shares[1], 1.2 * modelled.shares[0]);
  EXPECT_GT(modelled.deviations[0], 0.0);
  // Without the model's shape, tokens are all that is known.
  const ModelledShares by_tokens = modelled_shares(std::nullopt, batch);
  EXPECT_EQ(by_tokens.shares, (std::vector{0.5, 0.5}));
  EXPECT_TRUE(by_tokens.deviations.empty());
}

TEST(PassSharing, ASequenceThatJoinsNeverLowersTheModelledTime) {
  std::mt19937 random(9);
  const auto model = PassModel::of(small_model());
  for (int round = 0; round < 200; ++round) {
    Batch batch = random_batch(random);
    const double whole = model->time(batch, kUsualBalance);
    batch.pop_back();
    EXPECT_LE(model->time(batch, kUsualBalance), whole);
  }
}

TEST(PassSharing, TheFactsMustSayEnough) {
  ModelFacts facts = small_model();
  facts.layers.reset();
  EXPECT_FALSE(PassModel::of(facts));
}

TEST(PassSharing, WeightsAreTheBytesThatABatchShares) {
  // Weights [2048, 4096] in Q8_0 and 4 rows.
  OperationInfo product = operation("up_proj", "MUL_MAT", 0, {4096, 4, 1, 1});
  product.flops = 2.0 * 2048 * 4096 * 4;
  const double weights = 2048.0 * 4096.0 * 34.0 / 32.0;
  product.bytes = weights + 4.0 * 4 * (2048 + 4096);
  const auto load = load_of(product, {}, 4.0);
  ASSERT_TRUE(load);
  EXPECT_NEAR(load->shared_bytes, weights, 1.0);
  EXPECT_NEAR(load->bytes, 4.0 * 4 * (2048 + 4096), 1.0);
  // Four rows wait for the weights: without one of them it takes as long, but for its rows.
  EXPECT_LT(marginal_part(load, 0.25), 0.01);
  // A whole component has no shape.
  OperationInfo component = product;
  component.op.clear();
  component.shape = {};
  EXPECT_NEAR(load_of(component, {}, 4.0)->shared_bytes, weights, 0.001 * weights);
  // A long prompt computes: a row less is a row's time less.
  OperationInfo prompt = product;
  prompt.shape[1] = 512;
  prompt.flops = 2.0 * 2048 * 4096 * 512;
  prompt.bytes = weights + 4.0 * 512 * (2048 + 4096);
  EXPECT_NEAR(marginal_part(load_of(prompt, {}, 512.0), 0.25), 0.25, 1e-9);
}

TEST(PassSharing, WhoIsAloneAddedEverything) {
  OperationInfo product = operation("up_proj", "MUL_MAT", 0, {64, 1, 1, 1});
  product.flops = 8192.0;
  product.bytes = 4096.0;
  EXPECT_EQ(marginal_part(load_of(product, {}, 1.0), 1.0), 1.0);
  EXPECT_EQ(marginal_part(std::nullopt, 0.3), 0.3);
  EXPECT_EQ(marginal_part(load_of(product, {}, 1.0), 0.0), 0.0);
}

TEST(PassSharing, AttentionIsAddedInProportion) {
  OperationInfo scores = operation("qk_matmul", "MUL_MAT", 0, {256, 4, 8, 1});
  scores.flops = 1e6;
  scores.bytes = 1e6;
  const auto load = load_of(scores, {.by = SharedBy::attention, .most_keys = 256}, 4.0);
  EXPECT_NEAR(marginal_part(load, 0.4), 0.4, 1e-12);
}

TEST(PassSharing, WhatEachAddedIsNoMoreThanAll) {
  std::mt19937 random(10);
  std::uniform_real_distribution<double> size(1.0, 1e9);
  for (int round = 0; round < 300; ++round) {
    const Batch batch = random_batch(random);
    const OperationLoad load{
        .flops = size(random), .bytes = size(random), .shared_bytes = size(random)};
    const std::vector<double> shares = shares_of(batch, {});
    double added = 0.0;
    for (const double share : shares) {
      added += marginal_part(load, share);
    }
    EXPECT_LE(added, 1.0 + 1e-12);
  }
}

TEST(Shapley, IsTheMeanOverAllOrders) {
  // Gloves: 0 has a left one, 1 and 2 right ones; a pair is worth 1. Textbooks: 2/3, 1/6, 1/6.
  const auto pair = [](std::uint32_t set) {
    return (set & 1U) != 0 && (set & 6U) != 0 ? 1.0 : 0.0;
  };
  const std::vector<double> values = shapley_values(3, pair);
  ASSERT_EQ(values.size(), 3U);
  EXPECT_NEAR(values[0], 2.0 / 3.0, 1e-12);
  EXPECT_NEAR(values[1], 1.0 / 6.0, 1e-12);
  EXPECT_NEAR(values[2], 1.0 / 6.0, 1e-12);
}

TEST(Shapley, SharesAFixedCostEvenlyAndOwnCostsToTheirOwners) {
  const std::array<double, 4> own{1.0, 2.0, 3.0, 4.0};
  const auto cost = [&](std::uint32_t set) {
    double sum = 8.0;
    for (std::size_t player = 0; player < own.size(); ++player) {
      sum += (set & (1U << player)) != 0 ? own[player] : 0.0;
    }
    return sum;
  };
  const std::vector<double> values = shapley_values(own.size(), cost);
  for (std::size_t player = 0; player < own.size(); ++player) {
    EXPECT_NEAR(values[player], own[player] + 2.0, 1e-12);
  }
  EXPECT_TRUE(shapley_values(kMostPlayers + 1, cost).empty());
  EXPECT_TRUE(shapley_values(0, cost).empty());
}

}  // namespace
}  // namespace enprof
