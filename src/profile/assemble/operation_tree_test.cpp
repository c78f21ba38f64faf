#include "profile/assemble/operation_tree.hpp"

#include "record/pass_test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace enprof {
namespace {

using namespace std::chrono_literals;

ProfiledRun profiled(const Recording& recording,
                     const std::vector<EnergyWindow>& windows = testing::small_power()) {
  const Domain domain = domain_from_name("package-0");
  const EnergyTimeline timeline(windows, 0ns);
  const OperationTree profiler(recording.view());
  const RootDomain root{.domain = &domain, .idle_power = std::nullopt};
  ProfiledRun run;
  const std::vector<SpanGroups> groupings = profiler.groupings();
  const Attribution attribution = attribute(profiler.spans(), std::span(&timeline, 1),
                                            {.classes = profiler.classes(),
                                             .groupings = groupings,
                                             .idle_power = {},
                                             .by_time_alone = true});
  profiler.fill(attribution, std::span(&root, 1), run);
  return run;
}

TEST(OperationTree, EveryOperationOfEveryPassIsInTheTable) {
  const ProfiledRun run = profiled(testing::small_recording());
  EXPECT_EQ(run.operation_table.operations, testing::small_plan().operations);
  ASSERT_EQ(run.operation_table.events.size(), 3U * 8U);
  const OperationEvent& first = run.operation_table.events.front();
  EXPECT_EQ(first.begin, 2ms);
  EXPECT_EQ(first.duration_ns, 2'000'000U);
  EXPECT_EQ(first.operation, 0U);
  EXPECT_EQ(first.token, -1);
  EXPECT_EQ(first.phase, Phase::prefill);
  EXPECT_NEAR(first.energy()->value(), 0.02, 1e-12);
  // Token 0 begins at 40, its operation 4 (kq-1) at 42 + 8, where power is double.
  const OperationEvent& attention = run.operation_table.events[8 + 4];
  EXPECT_EQ(attention.begin, 50ms);
  EXPECT_EQ(attention.operation, 4U);
  EXPECT_EQ(attention.token, 0);
  EXPECT_NEAR(attention.energy()->value(), 0.04, 1e-12);
  EXPECT_EQ(run.operation_table.events.back().token, 1);
  EXPECT_TRUE(std::ranges::is_sorted(run.operation_table.events, {}, &OperationEvent::begin));
}

TEST(OperationTree, OperationsOfOneClassAreOneFigure) {
  const ProfiledRun run = profiled(testing::small_recording());
  const auto found = std::ranges::find_if(run.operations, [](const OperationFigure& figure) {
    return figure.phase == Phase::decode && figure.component == "rope";
  });
  ASSERT_NE(found, run.operations.end());
  EXPECT_EQ(found->op, "ROPE");
  EXPECT_EQ(found->count, 4U);
  EXPECT_EQ(found->figure.duration, 8ms);
  EXPECT_EQ(found->flops, 40.0);
  EXPECT_EQ(found->bytes, 400.0);
  // A component may have operations of several kinds.
  EXPECT_EQ(std::ranges::count_if(run.operations,
                                  [](const OperationFigure& figure) {
                                    return figure.phase == Phase::decode &&
                                           figure.component == "attention";
                                  }),
            2);
}

TEST(OperationTree, EventsOfATokenAndItsOwnAddUp) {
  const ProfiledRun run = profiled(testing::small_recording());
  double energy = 0.0;
  for (const OperationEvent& event : run.operation_table.events) {
    energy += event.token == 0 ? event.energy_j : 0.0;
  }
  // Its operations run from 42 to 58 ms: 8 ms at 10 W and 8 ms at 20 W.
  EXPECT_NEAR(energy, 0.08 + 0.16, 1e-12);
}

TEST(OperationTree, PlansThatShareOperationsShareTheTable) {
  Recording recording = testing::small_recording();
  OperationPlan grown = testing::small_plan();
  grown.operations[4].shape[0] = 8;  // the KV cache has grown
  recording.passes.plans.push_back(std::make_shared<const OperationPlan>(std::move(grown)));
  recording.passes.passes[2].plan = 1;
  const ProfiledRun run = profiled(recording);
  EXPECT_EQ(run.operation_table.operations.size(), 9U);
  EXPECT_EQ(run.operation_table.events.back().operation, 7U);
  EXPECT_EQ(run.operation_table.operations[run.operation_table.events[20].operation].shape[0], 8);
}

TEST(OperationTree, WhatWasNotMeasuredIsAbsent) {
  std::vector<EnergyWindow> half = testing::small_power();
  std::erase_if(half, [](const EnergyWindow& window) { return window.end > testing::at_ms(40); });
  const ProfiledRun run = profiled(testing::small_recording(), half);
  EXPECT_TRUE(run.operation_table.events.front().energy());
  EXPECT_FALSE(run.operation_table.events.back().energy());
  for (const OperationFigure& figure : run.operations) {
    EXPECT_EQ(figure.figure.total.has_value(), figure.phase == Phase::prefill);
  }
}

TEST(OperationTree, AnOperationLongerThanAFieldIsCut) {
  Recording recording = testing::small_recording();
  recording.passes.passes.resize(1);
  recording.passes.stamps[1] = encode_stamp(2ms + 5s);
  recording.passes.passes[0].end += 5s;
  const ProfiledRun run = profiled(recording);
  EXPECT_EQ(run.operation_table.events[1].duration_ns, UINT32_MAX);
}

}  // namespace
}  // namespace enprof
