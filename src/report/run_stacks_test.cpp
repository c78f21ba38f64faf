#include "report/run_stacks.hpp"

#include "support/sample_run.hpp"
#include "support/small_run.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace enprof {
namespace {

struct Leaf {
  double microseconds = 0.0;
  std::optional<double> millijoules;
};

std::map<std::string, Leaf> leaves(const ProfiledRun& run) {
  RunInMemory source(run);
  const auto stacks = RunStacks::read(source);
  EXPECT_TRUE(stacks);
  std::map<std::string, Leaf> result;
  for (const RunStack& stack : stacks->stacks()) {
    std::string path;
    for (const std::uint32_t frame : stack.frames) {
      path += (path.empty() ? "" : "|") + stacks->frame(frame);
    }
    const bool is_new =
        result
            .emplace(path, Leaf{to_ns(stack.time) / 1e3,
                                stack.energy ? std::optional{to_mj(*stack.energy)} : std::nullopt})
            .second;
    EXPECT_TRUE(is_new) << path << " is there twice";
  }
  return result;
}

double energy_of(const std::map<std::string, Leaf>& all) {
  double sum = 0.0;
  for (const auto& [path, leaf] : all) {
    sum += leaf.millijoules.value_or(0.0);
  }
  return sum;
}
double time_of(const std::map<std::string, Leaf>& all) {
  double sum = 0.0;
  for (const auto& [path, leaf] : all) {
    sum += leaf.microseconds;
  }
  return sum;
}

TEST(RunStacks, AddUpToTheRun) {
  const auto all = leaves(testing::small_run());
  EXPECT_NEAR(energy_of(all), 10'000, 1e-6);
  EXPECT_NEAR(time_of(all), 100'000, 1e-6);
}

TEST(RunStacks, AtModuleDepthTheLeavesAreComponents) {
  ProfiledRun run = testing::small_run();
  for (OperationInfo& kind : run.operation_table.operations) {
    kind.op.clear();
  }
  const auto all = leaves(run);
  EXPECT_DOUBLE_EQ(all.at("decode|layer 0|q_proj").millijoules.value(), 3000);
  EXPECT_NEAR(energy_of(all), 10'000, 1e-6);
}

TEST(RunStacks, AtMinimalDepthTheLeavesAreSections) {
  ProfiledRun run = testing::small_run();
  run.components.clear();
  run.operation_table = {};
  const auto all = leaves(run);
  EXPECT_DOUBLE_EQ(all.at("decode|forward").millijoules.value(), 5000);
  EXPECT_DOUBLE_EQ(all.at("decode|outside sections").microseconds, 5000);
  EXPECT_EQ(all.size(), 5U);
  EXPECT_NEAR(energy_of(all), 10'000, 1e-6);
}

TEST(RunStacks, WhatOperationsDoNotHaveStaysWithTheirComponent) {
  ProfiledRun run = testing::small_run();
  run.operation_table.events[0].energy_j = std::nan("");  // of the prefill's q_proj
  const auto all = leaves(run);
  EXPECT_FALSE(all.at("prefill|layer 0|q_proj|MUL_MAT").millijoules);
  EXPECT_DOUBLE_EQ(all.at("prefill|layer 0|q_proj").millijoules.value(), 1500);
  EXPECT_DOUBLE_EQ(all.at("prefill|layer 0|q_proj").microseconds, 0);
  EXPECT_NEAR(energy_of(all), 10'000, 1e-6);
}

TEST(RunStacks, NestedSectionsAreFrames) {
  ProfiledRun run = testing::small_run();
  run.sections.push_back({.phase = Phase::decode,
                          .name = "sampling/penalties",
                          .count = 2,
                          .figure = {.duration = Nanoseconds{2'000'000}, .total = Joules{0.2}}});
  run.sections.push_back({.phase = Phase::decode, .name = "a/b", .count = 1, .figure = {}});
  const auto all = leaves(run);
  EXPECT_DOUBLE_EQ(all.at("decode|sampling|penalties").millijoules.value(), 200);
  EXPECT_DOUBLE_EQ(all.at("decode|sampling").millijoules.value(), 300);
  EXPECT_NEAR(energy_of(all), 10'000, 1e-6);
  EXPECT_NEAR(time_of(all), 100'000, 1e-6);
}

TEST(RunStacks, WhereTheSectionOfThePassesIsNotKnownNoneIsNamed) {
  ProfiledRun run = testing::small_run();
  for (SectionFigure& section : run.sections) {  // now none is called forward …
    section.name = section.name == "forward" ? "generate" : section.name;
  }
  EXPECT_TRUE(leaves(run).contains("decode|generate, outside the passes"));  // … one is long enough
  run.sections[2].figure.duration = Nanoseconds{1'000'000};
  const auto all = leaves(run);
  EXPECT_TRUE(all.contains("decode|outside the passes"));
  EXPECT_FALSE(all.contains("decode|sampling"));
  EXPECT_NEAR(energy_of(all), 10'000, 1e-6);
  EXPECT_NEAR(time_of(all), 100'000, 1e-6);
}

TEST(RunStacks, AnyRunHasThem) {
  EXPECT_TRUE(leaves({.run_id = "bare"}).empty());
  ProfiledRun run = testing::sample_run();
  EXPECT_FALSE(leaves(run).empty());
  run.operation_table.operations.clear();  // events of kinds that do not exist
  EXPECT_FALSE(leaves(run).empty());
}

}  // namespace
}  // namespace enprof
