#include "server/operation_query.hpp"

#include "support/operation_sums.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using testing::sums_of;
using namespace std::chrono_literals;

/// Two matrix products in one component of layer 1, and one outside the layers; two tokens; the
/// energy of the prompt is unknown.
ProfiledRun run_of_two_tokens() {
  ProfiledRun run;
  run.operation_table.operations = {
      {.layer = 1, .component = "q_proj", .op = "MUL_MAT", .flops = 10.0, .bytes = 4.0},
      {.layer = 1, .component = "q_proj", .op = "MUL_MAT", .flops = 20.0, .bytes = 4.0},
      {.layer = OperationInfo::kNoLayer, .component = "lm_head", .op = "MUL_MAT"}};
  run.operation_table.events = {
      {.duration_ns = 7, .operation = 0, .token = -1, .phase = Phase::prefill}};
  for (std::int32_t token = 0; token < 2; ++token) {
    for (std::uint32_t operation = 0; operation < 3; ++operation) {
      run.operation_table.events.push_back({.energy_j = 0.5,
                                            .duration_ns = 1'000,
                                            .operation = operation,
                                            .token = token,
                                            .phase = Phase::decode});
    }
  }
  return run;
}

TEST(OperationsByLayer, AddsUpOneKindInOneComponentOfOneLayer) {
  const auto found = operations_by_layer(sums_of(run_of_two_tokens(), {.phase = Phase::decode}));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].layer, OperationInfo::kNoLayer);
  EXPECT_EQ(found[0].component, "lm_head");
  EXPECT_FALSE(found[0].flops);  // unknown, not zero
  EXPECT_EQ(found[1].component, "q_proj");
  EXPECT_EQ(found[1].op, "MUL_MAT");
  EXPECT_EQ(found[1].count, 4U);
  EXPECT_EQ(found[1].duration, 4us);
  EXPECT_EQ(found[1].energy, Joules{2.0});
  EXPECT_EQ(found[1].flops, 60.0);
  EXPECT_EQ(found[1].bytes, 16.0);
}

TEST(OperationsByLayer, SeparatesPhasesAndUsesTheRequestedTokens) {
  const auto all = operations_by_layer(sums_of(run_of_two_tokens(), {}));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].phase, Phase::prefill);
  EXPECT_FALSE(all[0].energy);
  const auto second = operations_by_layer(sums_of(run_of_two_tokens(), {.first = 1, .last = 1}));
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[1].count, 2U);
  EXPECT_TRUE(operations_by_layer({}).empty());
}

}  // namespace
}  // namespace enprof
