#include "server/matrix_query.hpp"

#include "support/operation_sums.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using testing::sums_of;
using namespace std::chrono_literals;

ProfiledRun run_of_two_tokens() {
  ProfiledRun run;
  run.operation_table.operations = {
      {.layer = 1, .component = "q_proj", .flops = 10.0, .bytes = 4.0},
      {.layer = OperationInfo::kNoLayer, .component = "lm_head"},
      {.layer = 1, .component = "q_proj", .flops = 20.0, .bytes = 4.0}};
  for (std::int32_t token = 0; token < 2; ++token) {
    for (std::uint32_t operation = 0; operation < 3; ++operation) {
      run.operation_table.events.push_back({.begin = 1ms,
                                            .energy_j = 0.5,
                                            .duration_ns = 1'000'000,
                                            .operation = operation,
                                            .token = token,
                                            .phase = Phase::decode});
    }
  }
  run.operation_table.events.push_back(
      {.duration_ns = 5, .operation = 1, .token = -1, .phase = Phase::prefill});
  return run;
}

TEST(CellsOfPasses, AddsUpWhatTheRangeHolds) {
  const auto cells = cells_of_passes(sums_of(run_of_two_tokens(), {.first = 0, .last = 0}));
  EXPECT_THAT(cells.layers, ElementsAre(OperationInfo::kNoLayer, 1));
  EXPECT_THAT(cells.components, ElementsAre("q_proj", "lm_head"));
  ASSERT_TRUE(cells.at(1, 0));
  EXPECT_EQ(cells.at(1, 0)->count, 2U);
  EXPECT_EQ(cells.at(1, 0)->energy, Joules{1.0});
  EXPECT_EQ(cells.at(1, 0)->flops, 30.0);
  EXPECT_FALSE(cells.at(0, 1)->bytes);  // unknown, not zero
  EXPECT_FALSE(cells.at(0, 0));         // not in that layer
}

TEST(CellsOfPasses, ThePromptIsTokenMinusOneAndUnknownEnergyStaysUnknown) {
  const auto cells = cells_of_passes(sums_of(run_of_two_tokens(), {.first = -1, .last = -1}));
  ASSERT_TRUE(cells.at(0, 1));
  EXPECT_FALSE(cells.at(0, 1)->energy);
  EXPECT_EQ(cells.at(0, 1)->duration, 5ns);
}

TEST(CellsOfPasses, KeepsToThePhase) {
  const auto prefill = cells_of_passes(sums_of(run_of_two_tokens(), {.phase = Phase::prefill}));
  ASSERT_TRUE(prefill.at(0, 1));
  EXPECT_EQ(prefill.at(0, 1)->count, 1U);
  EXPECT_FALSE(prefill.at(1, 0));
  const auto decode =
      cells_of_passes(sums_of(run_of_two_tokens(), {.phase = Phase::decode, .last = 0}));
  EXPECT_EQ(decode.at(0, 1)->count, 1U);
  EXPECT_EQ(decode.at(1, 0)->count, 2U);
}

TEST(MetricMatrix, DividesAndScales) {
  const auto cells = cells_of_passes(sums_of(run_of_two_tokens(), {.first = 0, .last = 1}));
  EXPECT_EQ(metric_matrix(cells, "energy")->at(1, 0), 2000.0);
  EXPECT_EQ(metric_matrix(cells, "duration")->at(1, 0), 4.0);
  EXPECT_EQ(metric_matrix(cells, "power")->at(1, 0), 500'000.0);
  EXPECT_DOUBLE_EQ(*metric_matrix(cells, "pj_per_byte")->at(1, 0), 2.0 / 16 * 1e12);
  EXPECT_FALSE(metric_matrix(cells, "pj_per_flop")->at(0, 1));
  const auto unknown = metric_matrix(cells, "charm");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::invalid_argument);
}

TEST(ValueMatrix, AveragesOverPasses) {
  SampledValues values;
  values.activations = {{.layer = 0, .component = "up_proj", .mean = 1.0, .sparsity = 0.5},
                        {.layer = 0, .component = "up_proj", .mean = 3.0, .sparsity = 0.1},
                        {.layer = 2, .component = "norm", .variance_ratio = 4.0}};
  values.attention = {{.layer = 0, .head = 1, .entropy_nats = 2.0}};
  const auto mean = value_matrix(values, "activation_mean");
  ASSERT_TRUE(mean);
  EXPECT_THAT(mean->layers, ElementsAre(0, 2));
  EXPECT_EQ(mean->at(0, 0), 2.0);
  EXPECT_FALSE(mean->at(0, 1));
  const auto ratio = value_matrix(values, "variance_ratio");
  EXPECT_THAT(ratio->components, ElementsAre("norm"));
  EXPECT_EQ(value_matrix(values, "attention_entropy")->components.front(), "head 1");
  EXPECT_FALSE(value_matrix(values, "energy"));
}

}  // namespace
}  // namespace enprof
