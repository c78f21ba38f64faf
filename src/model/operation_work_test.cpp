#include "model/operation_work.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace enprof {
namespace {

using Kind = OperationKind;

constexpr double kF16 = 2.0;
constexpr double kQ8 = 34.0 / 32.0;

OperationWork work(Kind kind, TensorShape result, const std::vector<TensorShape>& inputs) {
  return operation_work({.kind = kind, .result = result, .inputs = inputs, .rotated = {}});
}

TEST(OperationWork, AMatrixTimesAVectorIsTwoFlopsAWeight) {
  const auto one =
      work(Kind::matmul, {{2048, 1, 1, 1}}, {{{512, 2048, 1, 1}, kQ8}, {{512, 1, 1, 1}}});
  EXPECT_DOUBLE_EQ(*one.flops, 2.0 * 512 * 2048);
  EXPECT_DOUBLE_EQ(*one.bytes, 512.0 * 2048 * 34 / 32 + 4 * 512 + 4 * 2048);

  // Sixteen columns: sixteen times the arithmetic, but the weights are read once.
  const auto many =
      work(Kind::matmul, {{2048, 16, 1, 1}}, {{{512, 2048, 1, 1}, kQ8}, {{512, 16, 1, 1}}});
  EXPECT_DOUBLE_EQ(*many.flops, 16 * *one.flops);
  EXPECT_DOUBLE_EQ(*many.bytes, 512.0 * 2048 * 34 / 32 + 16 * (4 * 512 + 4 * 2048));
}

TEST(OperationWork, ScoresOfGroupedHeadsCountEveryQueryHead) {
  // 8 query heads of width 64 against 2 key heads and 100 positions, 3 queries.
  const auto scores =
      work(Kind::matmul, {{100, 3, 8, 1}}, {{{64, 100, 2, 1}, kF16}, {{64, 3, 8, 1}}});
  EXPECT_DOUBLE_EQ(*scores.flops, 2.0 * 64 * 100 * 3 * 8);
}

TEST(OperationWork, ExpertsReadOnlyTheMatricesThatCanBeChosen) {
  // 8 experts of which each position uses 2.
  const TensorShape weights{{256, 512, 8, 1}, kF16};
  const double matrix = 256.0 * 512 * kF16;
  const auto one =
      work(Kind::matmul_experts, {{512, 2, 1, 1}}, {weights, {{256, 1, 1, 1}}, {{2, 1, 1, 1}}});
  EXPECT_DOUBLE_EQ(*one.flops, 2.0 * 256 * 512 * 2);
  EXPECT_DOUBLE_EQ(*one.bytes, 2 * matrix + 4.0 * (256 + 2 + 1024));

  const auto many =
      work(Kind::matmul_experts, {{512, 2, 9, 1}}, {weights, {{256, 1, 9, 1}}, {{2, 9, 1, 1}}});
  EXPECT_DOUBLE_EQ(*many.flops, 9 * *one.flops);
  EXPECT_DOUBLE_EQ(*many.bytes, 8 * matrix + 9 * 4.0 * (256 + 2 + 1024));  // not more than all
}

TEST(OperationWork, RowsOfATableCountAsRowsNotAsTheTable) {
  const auto read =
      work(Kind::get_rows, {{512, 3, 1, 1}}, {{{512, 32000, 1, 1}, kQ8}, {{3, 1, 1, 1}}});
  EXPECT_DOUBLE_EQ(*read.flops, 0.0);
  EXPECT_DOUBLE_EQ(*read.bytes, 3 * 512 * kQ8 + 3 * 4 + 3 * 512 * 4);

  const auto written =
      work(Kind::set_rows, {{512, 4096, 1, 1}, kF16}, {{{512, 3, 1, 1}}, {{3, 1, 1, 1}, 8.0}});
  EXPECT_DOUBLE_EQ(*written.bytes, 3 * 512 * 4 + 3 * 8 + 3 * 512 * kF16);
}

TEST(OperationWork, AttentionIsItsThreeStepsTogether) {
  const std::vector<TensorShape> qkv{
      {{64, 3, 8, 1}}, {{64, 100, 2, 1}, kF16}, {{32, 100, 2, 1}, kF16}};
  const auto fused = work(Kind::flash_attention, {{32, 8, 3, 1}}, qkv);
  EXPECT_DOUBLE_EQ(*fused.flops, 8.0 * 3 * 100 * (2 * 64 + 2 * 32 + 6));

  const TensorShape scores{{100, 3, 8, 1}};
  const auto qk = work(Kind::matmul, scores, {qkv[1], qkv[0]});
  const auto softmax = work(Kind::softmax, scores, {scores, {{100, 3, 1, 1}, kF16}});
  const auto values = work(Kind::matmul, {{32, 3, 8, 1}}, {{{100, 32, 2, 1}, kF16}, scores});
  EXPECT_DOUBLE_EQ(*fused.flops, *qk.flops + *softmax.flops + *values.flops);
  EXPECT_LT(*fused.bytes, *qk.bytes + *softmax.bytes + *values.bytes);  // scores stay inside
}

TEST(OperationWork, NormsCountTheirWeights) {
  const TensorShape row{{512, 2, 1, 1}};
  const TensorShape weights{{512, 1, 1, 1}};
  EXPECT_DOUBLE_EQ(*work(Kind::rms_norm, row, {row}).flops, 3 * 1024 + 4 * 2);
  EXPECT_DOUBLE_EQ(*work(Kind::rms_norm, row, {row, weights}).flops, 4 * 1024 + 4 * 2);
  EXPECT_DOUBLE_EQ(*work(Kind::layer_norm, row, {row, weights, weights}).flops, 7 * 1024 + 5 * 2);
  EXPECT_DOUBLE_EQ(*work(Kind::l2_norm, row, {row}).flops, 3 * 1024 + 2 * 2);
}

TEST(OperationWork, AFusedPairKeepsWhatLiesBetweenInside) {
  const TensorShape row{{512, 2, 1, 1}};
  const TensorShape weights{{512, 1, 1, 1}};
  const auto norm = work(Kind::rms_norm, row, {row});
  const auto scale = work(Kind::elementwise, row, {row, weights});
  EXPECT_EQ(fused_work(norm, scale, row), work(Kind::rms_norm, row, {row, weights}));
  EXPECT_FALSE(fused_work(norm, {}, row).flops);
}

TEST(OperationWork, RopeCountsWhatItRotates) {
  const TensorShape heads{{64, 8, 3, 1}};
  const std::vector inputs{heads, TensorShape{{3, 1, 1, 1}}};
  EXPECT_DOUBLE_EQ(*work(Kind::rope, heads, inputs).flops, 32.0 * (6 * 8 * 3 + 3 * 3));
  const auto half = operation_work(
      {.kind = Kind::rope, .result = heads, .inputs = inputs, .rotated = std::int64_t{32}});
  EXPECT_DOUBLE_EQ(*half.flops, 16.0 * (6 * 8 * 3 + 3 * 3));
}

TEST(OperationWork, ElementwiseKindsCountTheirOwnArithmetic) {
  const TensorShape row{{100, 1, 1, 1}};
  EXPECT_DOUBLE_EQ(*work(Kind::elementwise, row, {row, row}).flops, 100);
  EXPECT_DOUBLE_EQ(*work(Kind::elementwise, row, {row, row}).bytes, 1200);
  EXPECT_DOUBLE_EQ(*work(Kind::swiglu, row, {row, row}).flops,
                   *work(Kind::silu, row, {row}).flops + 100);
  EXPECT_DOUBLE_EQ(*work(Kind::geglu, row, {row, row}).flops,
                   *work(Kind::gelu, row, {row}).flops + 100);
  EXPECT_DOUBLE_EQ(*work(Kind::swiglu_oai, row, {row, row}).flops, 700);
  EXPECT_DOUBLE_EQ(*work(Kind::softplus, row, {row}).flops, 300);
  EXPECT_DOUBLE_EQ(*work(Kind::copy, {{100, 1, 1, 1}, kF16}, {row}).flops, 0);
  EXPECT_DOUBLE_EQ(*work(Kind::copy, {{100, 1, 1, 1}, kF16}, {row}).bytes, 600);
  EXPECT_DOUBLE_EQ(*work(Kind::reduction, {{1, 1, 1, 1}}, {row}).flops, 100);
  EXPECT_DOUBLE_EQ(*work(Kind::sort, row, {row}).flops, 0);
}

TEST(OperationWork, StateSpaceModels) {
  const auto conv =
      work(Kind::ssm_conv, {{1536, 5, 2, 1}}, {{{3 + 5, 1536, 2, 1}}, {{4, 1536, 1, 1}}});
  EXPECT_DOUBLE_EQ(*conv.flops, 2.0 * 4 * 1536 * 5 * 2);

  // Mamba: 16 states for each of 1536 channels, 5 positions of 2 sequences out of 8 in the cache.
  const double states = 16.0 * 1536;
  const double x = 1536.0 * 5 * 2;
  const std::vector<TensorShape> mamba{{{16, 1, 1536, 8}}, {{1, 1536, 5, 2}}, {{1536, 5, 2, 1}},
                                       {{16, 1536, 1, 1}}, {{16, 1, 5, 2}},   {{16, 1, 5, 2}}};
  const TensorShape result{{static_cast<std::int64_t>(x + states * 2), 1, 1, 1}};
  const auto scan = work(Kind::ssm_scan, result, mamba);
  EXPECT_DOUBLE_EQ(*scan.flops, 7 * 16 * x + x + 3 * x);
  EXPECT_DOUBLE_EQ(*scan.bytes,
                   4 * (x + states * 2 + states * 2 + x + x + 16 * 1536 + 2 * 16 * 5 * 2));

  // One decay for each head of 64 channels: it is computed once per head.
  const std::vector<TensorShape> scalar{{{128, 64, 24, 8}}, {{64, 24, 5, 2}}, {{24, 5, 2, 1}},
                                        {{1, 24, 1, 1}},    {{128, 1, 5, 2}}, {{128, 1, 5, 2}}};
  const double dt = 24.0 * 5 * 2;
  EXPECT_DOUBLE_EQ(*work(Kind::ssm_scan, result, scalar).flops,
                   5 * 128 * 64 * dt + 2 * dt + 64 * dt + 3 * dt);
}

TEST(OperationWork, ABiasOfExpertsIsReadWhereItIsChosen) {
  // 32 experts of which each of 3 positions uses 4.
  const auto added =
      work(Kind::add_rows, {{512, 4, 3, 1}}, {{{512, 4, 3, 1}}, {{512, 32, 1, 1}}, {{4, 3, 1, 1}}});
  EXPECT_DOUBLE_EQ(*added.flops, 512.0 * 12);
  EXPECT_DOUBLE_EQ(*added.bytes, 4.0 * (512 * 12 * 3 + 12));  // a, the rows, the result; indices
}

TEST(OperationWork, LinearAttentionWorksOnItsStateAtEachPosition) {
  // 8 heads of width 64, 5 positions.
  const double states = 64.0 * 64 * 8 * 5;
  const double values = 64.0 * 8 * 5;
  const TensorShape whole{{64, 8, 5, 1}};
  const TensorShape state{{64, 64, 8, 1}};
  const TensorShape result{{512, 5 + 64, 1, 1}};
  EXPECT_DOUBLE_EQ(
      *work(Kind::rwkv6, result, {whole, whole, whole, {{64, 8, 1, 1}}, whole, state}).flops,
      7 * states);
  EXPECT_DOUBLE_EQ(
      *work(Kind::rwkv7, result, {whole, whole, whole, whole, whole, whole, state}).flops,
      9 * states);
  EXPECT_DOUBLE_EQ(
      *work(Kind::gated_linear_attention, result, {whole, whole, whole, whole, state}).flops,
      5 * states + values);

  // Keys of 2 heads for values of 8; one scalar gate per head, then one for each of its rows.
  const TensorShape keys{{64, 2, 5, 1}};
  const TensorShape scalar{{1, 8, 5, 1}};
  EXPECT_DOUBLE_EQ(
      *work(Kind::gated_delta_net, result, {keys, keys, whole, scalar, scalar, state}).flops,
      7 * states + 3 * values + 8 * 5);
  EXPECT_DOUBLE_EQ(
      *work(Kind::gated_delta_net, result, {keys, keys, whole, whole, scalar, state}).flops,
      7 * states + 3 * values + values);
}

TEST(OperationWork, WhatIsNotKnownIsEmpty) {
  const TensorShape row{{100, 1, 1, 1}};
  EXPECT_FALSE(work(Kind::other, row, {row}).flops);
  EXPECT_DOUBLE_EQ(*work(Kind::other, row, {row}).bytes, 800);
  EXPECT_EQ(work(Kind::matmul, row, {row}), OperationWork{});  // an input is missing
  EXPECT_EQ(work(Kind::elementwise, {{-1, 1, 1, 1}}, {row}), OperationWork{});
  EXPECT_EQ(work(Kind::elementwise, {{1, 1, 1, 1}, std::numeric_limits<double>::quiet_NaN()}, {}),
            OperationWork{});
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE(work(Kind::elementwise, {{huge, huge, huge, huge}}, {}).flops);  // fits into a double
}

TEST(OperationWork, NothingToDoIsZero) {
  const TensorShape none{{0, 5, 1, 1}};
  const auto empty = work(Kind::get_rows, none, {{{512, 100, 1, 1}}, {{0, 1, 1, 1}}});
  EXPECT_DOUBLE_EQ(*empty.flops, 0.0);
  EXPECT_DOUBLE_EQ(*empty.bytes, 0.0);
}

}  // namespace
}  // namespace enprof
