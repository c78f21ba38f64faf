#include "record/tensor_statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace enprof {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kNear = 1e-9;

// Every expected value was computed by hand from the formula in the header.

TEST(TensorStatistics, ActivationsOfATensor) {
  // Σ = 4, mean 1; deviations −3, 0, −1, 4 → squares 9, 0, 1, 16; variance 26/4 = 6.5.
  const auto found = activation_statistics(std::vector<float>{-2, 1, 0, 5});
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->mean, 1.0, kNear);
  EXPECT_NEAR(found->standard_deviation, std::sqrt(6.5), kNear);
  EXPECT_EQ(found->maximum, 5.0);
  EXPECT_EQ(found->sparsity, 0.25);
}

TEST(TensorStatistics, MaximumIsOfAbsoluteValues) {
  EXPECT_EQ(activation_statistics(std::vector<float>{-7, 3})->maximum, 7.0);
}

TEST(TensorStatistics, SparsityCountsBothSignsBelowTheThreshold) {
  const std::vector<float> values{0.25F, -0.25F, 0.5F, -0.75F, 0.0F};
  EXPECT_EQ(activation_statistics(values, 0.5)->sparsity, 0.6);  // 0.5 itself is not below
  EXPECT_EQ(activation_statistics(values, 0.0)->sparsity, 0.0);
}

TEST(TensorStatistics, LongTensorsUseEveryElementOnce) {
  // 1 … 1003: mean 502, variance (n² − 1)/12.
  std::vector<float> values;
  for (int value = 1; value <= 1003; ++value) {
    values.push_back(static_cast<float>(value));
  }
  const auto found = activation_statistics(values);
  EXPECT_NEAR(found->mean, 502.0, kNear);
  EXPECT_NEAR(found->standard_deviation, std::sqrt((1003.0 * 1003.0 - 1.0) / 12.0), kNear);
}

TEST(TensorStatistics, ALargeMeanDoesNotHideASmallSpread) {
  // Both values are exact floats: σ is 0.5, though the squares of the values reach 1e12.
  const auto found = activation_statistics(std::vector<float>{1e6F, 1e6F + 1.0F});
  EXPECT_NEAR(found->standard_deviation, 0.5, kNear);
}

TEST(TensorStatistics, WhatIsNotFiniteIsLeftOut) {
  const auto found = activation_statistics(std::vector<float>{1, kNaN, 3, kInfinity, -kInfinity});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mean, 2.0);
  EXPECT_EQ(found->maximum, 3.0);
  EXPECT_FALSE(activation_statistics(std::vector<float>{kNaN}));
  EXPECT_FALSE(activation_statistics({}));
}

TEST(TensorStatistics, AttentionOfOneQuery) {
  // −(½ ln ½ + 2 · ¼ ln ¼) = 1.5 ln 2
  const auto found = attention_row_statistics(std::vector<float>{0.5F, 0.25F, 0.25F, 0, 0}, 4, 0.3);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->entropy_nats, 1.5 * std::log(2.0), kNear);
  EXPECT_EQ(found->maximum_weight, 0.5);
  EXPECT_EQ(found->sparsity, 0.75);  // three of the four visible: the fifth is masked
}

TEST(TensorStatistics, AttentionAtItsExtremes) {
  const auto even = attention_row_statistics(std::vector<float>(8, 0.125F), 8);
  EXPECT_NEAR(even->entropy_nats, std::log(8.0), kNear);
  EXPECT_EQ(even->sparsity, 0.0);
  const auto one = attention_row_statistics(std::vector<float>{0, 1, 0, 0}, 2);
  EXPECT_EQ(one->entropy_nats, 0.0);
  EXPECT_EQ(one->maximum_weight, 1.0);
  EXPECT_EQ(one->sparsity, 0.5);
}

TEST(TensorStatistics, InvalidAttentionWeightsHaveNoStatistics) {
  EXPECT_FALSE(attention_row_statistics(std::vector<float>{0.5F, kNaN}, 2));
  EXPECT_FALSE(attention_row_statistics(std::vector<float>{0.5F, 0.5F}, 0));
  EXPECT_FALSE(attention_row_statistics({}, 1));
}

TEST(TensorStatistics, AHeadIsTheMeanOfItsQueries) {
  // Query 0 sees one position: entropy 0. Query 1 sees two evenly: ln 2. The third is not a number.
  const std::vector<float> rows{1, 0, 0, 0.5F, 0.5F, 0, kNaN, 0, 0};
  const std::vector<std::size_t> visible{1, 2, 3};
  const auto found = attention_head_statistics(rows, 3, visible, 0.6);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->entropy_nats, std::log(2.0) / 2, kNear);
  EXPECT_EQ(found->maximum_weight, 0.75);
  EXPECT_EQ(found->sparsity, 0.5);  // mean of 0 of 1 and 2 of 2
  EXPECT_FALSE(attention_head_statistics({}, 3, visible));
}

TEST(TensorStatistics, KillRatioIsTheShareBelowZero) {
  EXPECT_EQ(kill_ratio(std::vector<float>{-1, -0.5F, 0, 2}), 0.5);
  EXPECT_EQ(kill_ratio(std::vector<float>{-1, kNaN, 1}), 0.5);
  EXPECT_EQ(kill_ratio(std::vector<float>{-0.0F, 1}), 0.0);
  EXPECT_EQ(kill_ratio({}), std::nullopt);
}

TEST(TensorStatistics, VarianceRatioIsInputOverOutput) {
  // Variances: of {1, 3} 1, of {−0.5, 0.5} 0.25.
  EXPECT_NEAR(*variance_ratio(std::vector<float>{1, 3}, std::vector<float>{-0.5F, 0.5F}), 4.0,
              kNear);
  EXPECT_FALSE(variance_ratio(std::vector<float>{1, 3}, std::vector<float>{2, 2}));
  EXPECT_FALSE(variance_ratio(std::vector<float>{1, kNaN}, std::vector<float>{1, 2}));
  EXPECT_FALSE(variance_ratio({}, std::vector<float>{1, 2}));
}

TEST(TensorStatistics, RoutingEntropy) {
  EXPECT_NEAR(*routing_entropy(std::vector<float>{2, 1, 1, 0}), 1.5 * std::log(2.0), kNear);
  EXPECT_NEAR(*routing_entropy(std::vector<float>{0.25F, 0.25F, 0.25F, 0.25F}), std::log(4.0),
              kNear);
  EXPECT_FALSE(routing_entropy(std::vector<float>{0, 0}));
  EXPECT_FALSE(routing_entropy(std::vector<float>{1, -1}));
  EXPECT_FALSE(routing_entropy(std::vector<float>{1, kInfinity}));
}

TEST(TensorStatistics, RoutingEntropyOfLogits) {
  // Equal logits of any size: ln n. One logit that is larger by 1000 has all the weight: 0.
  EXPECT_NEAR(*routing_entropy_of_logits(std::vector<float>{1000, 1000}), std::log(2.0), kNear);
  EXPECT_NEAR(*routing_entropy_of_logits(std::vector<float>{0, 1000}), 0.0, kNear);
  // p = ¾, ¼ at a difference of ln 3.
  EXPECT_NEAR(*routing_entropy_of_logits(std::vector<float>{std::log(3.0F), 0}),
              -(0.75 * std::log(0.75) + 0.25 * std::log(0.25)), 1e-6);
  EXPECT_FALSE(routing_entropy_of_logits(std::vector<float>{kNaN, 0}));
}

TEST(TensorStatistics, LoadBalanceOfExperts) {
  EXPECT_EQ(expert_load_balance(std::vector<std::size_t>{5, 5, 5, 5}), 1.0);
  // Mean 2, deviations ±1: σ 1, balance ½.
  EXPECT_NEAR(*expert_load_balance(std::vector<std::size_t>{1, 3}), 0.5, kNear);
  // One expert of five does all the work: mean 1, σ = √((16 + 4)/5) = 2.
  EXPECT_NEAR(*expert_load_balance(std::vector<std::size_t>{5, 0, 0, 0, 0}), -1.0, kNear);
  EXPECT_FALSE(expert_load_balance(std::vector<std::size_t>{0, 0}));
  EXPECT_FALSE(expert_load_balance({}));
}

}  // namespace
}  // namespace enprof
