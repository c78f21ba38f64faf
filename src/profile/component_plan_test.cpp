#include "profile/component_plan.hpp"

#include "record/pass_test_support.hpp"

#include <gmock/gmock.h>

#include <cstdint>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::uint32_t> ends_of(const OperationPlan& plan) {
  std::vector<std::uint32_t> ends;
  add_component_ends(plan, ends);
  return ends;
}

TEST(ComponentPlan, AComponentEndsWhereAnotherOneBegins) {
  EXPECT_THAT(ends_of(testing::small_plan()), ElementsAre(0U, 1U, 2U, 3U, 5U, 6U, 7U));
  EXPECT_THAT(ends_of({}), IsEmpty());
}

TEST(ComponentPlan, TheSameComponentOfTwoLayersIsTwo) {
  OperationPlan plan;
  plan.operations.resize(2);
  plan.operations[0].layer = 0;
  plan.operations[1].layer = 1;
  EXPECT_THAT(ends_of(plan), ElementsAre(0U, 1U));
}

TEST(ComponentPlan, WorkIsAddedUpAndUnknownWorkStaysUnknown) {
  OperationPlan plan = testing::small_plan();
  plan.operations[5].flops = 30.0;  // the softmax computes most
  plan.operations[4].bytes.reset();
  const OperationPlan merged = merge_components(plan, ends_of(plan));
  ASSERT_THAT(merged.operations, SizeIs(7));
  EXPECT_EQ(merged.operations[0], plan.operations[0]);
  EXPECT_EQ(merged.operations[4].component, "attention");
  EXPECT_EQ(merged.operations[4].op, "SOFT_MAX");
  EXPECT_EQ(merged.operations[4].flops, 40.0);
  EXPECT_FALSE(merged.operations[4].bytes);
}

}  // namespace
}  // namespace enprof
