// What a run reads of counters at its borders.
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "support/border_source.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

class ProfilerBorders : public ::testing::Test {
 protected:
  ProfilerBorders() {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(std::make_unique<testing::BorderSource>(clock_, reads_));
    monitor_.emplace(std::move(sources), clock_);
    EXPECT_TRUE(monitor_->start(1h));
  }
  /// Passes borders for 20 ms and returns how often the counter was read.
  int compute(RunScope& run) {
    const int before = reads_;
    for (int border = 0; border < 800; ++border) {
      clock_.advance(25us);
      static_cast<void>(run.at_border(clock_.now()));
    }
    return reads_ - before;
  }

  testing::ManualClock clock_;
  std::atomic<int> reads_ = 0;
  std::optional<PowerMonitor> monitor_;
};

TEST_F(ProfilerBorders, TheRunsThreadReadsTheCounter) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, {.clock = &clock_}};
  RunScope run = profiler.run({.model_name = "m"});
  EXPECT_GE(compute(run), 1) << "the interval is an hour: at least the first edge";
  run.finish();
  EXPECT_EQ(compute(run), 0) << "the run is over";
  EXPECT_EQ(run.at_border(clock_.now()), Instant::max());
}

TEST_F(ProfilerBorders, OnlyOneOfTwoRunsReadsIt) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, {.clock = &clock_}};
  InferencePipelineProfiler other{&*monitor_, nullptr, {.clock = &clock_}};
  RunScope first = profiler.run({.model_name = "m"});
  RunScope second = other.run({.model_name = "m"});
  EXPECT_EQ(compute(second), 0);
  EXPECT_GE(compute(first), 1);
  first.finish();
  RunScope third = profiler.run({.model_name = "m"});
  EXPECT_GE(compute(third), 1) << "it is free again";
}

TEST_F(ProfilerBorders, ARunThatIsAbandonedLetsGo) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, {.clock = &clock_}};
  {
    RunScope run = profiler.run({.model_name = "m"});
    run.abandon();
    EXPECT_EQ(compute(run), 0);
  }
  RunScope next = profiler.run({.model_name = "m"});
  EXPECT_GE(compute(next), 1);
}

TEST_F(ProfilerBorders, WithoutAMonitorThereIsNothingToRead) {
  InferencePipelineProfiler profiler{nullptr, nullptr, {.clock = &clock_}};
  RunScope run = profiler.run({.model_name = "m"});
  EXPECT_EQ(run.at_border(clock_.now()), Instant::max());
}

TEST_F(ProfilerBorders, TheReaderOutlivesTheMonitor) {
  auto readers = monitor_->border_readers();
  ASSERT_TRUE(readers.front()->claim());
  monitor_.reset();
  const int before = reads_;
  clock_.advance(1s);
  static_cast<void>(readers.front()->at_border(clock_.now()));
  EXPECT_EQ(reads_, before) << "it was told to end";
}

}  // namespace
}  // namespace enprof
