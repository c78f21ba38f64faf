#include "profile/meter/run_meter.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "support/fake_source.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::FakeSensor;

/// Takes events on whatever thread they come, and lets a test wait for them.
class Heard {
 public:
  void add(const Event& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }
  template <class Data>
  [[nodiscard]] std::vector<Data> of() const {
    const std::lock_guard lock(mutex_);
    return of_locked<Data>();
  }
  /// False where none comes in 20 s.
  template <class Data>
  [[nodiscard]] bool wait_for() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return !of_locked<Data>().empty(); });
  }
  /// Until so many tokens are settled, and what their components used is told.
  [[nodiscard]] bool wait_for_tokens(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] {
      std::size_t settled = 0;
      return std::ranges::any_of(events_, [&](const Event& event) {
        const auto* const energy = event.get_if<events::EnergySettled>();
        settled += energy != nullptr ? energy->tokens.size() : 0;
        return settled >= count && event.type() == EventType::component_metrics;
      });
    });
  }

 private:
  template <class Data>
  [[nodiscard]] std::vector<Data> of_locked() const {
    std::vector<Data> result;
    for (const Event& event : events_) {
      if (const auto* const data = event.get_if<Data>()) {
        result.push_back(*data);
      }
    }
    return result;
  }
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
};

class RunMeterTest : public ::testing::Test {
 protected:
  RunMeterTest() {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(std::make_unique<testing::FakeSource>("fake", std::vector<std::string>{"cpu"},
                                                            monotonic_clock(), sensor_));
    monitor_.emplace(std::move(sources));
  }

  /// Two tokens with a pass of two operations each.
  static void generate(RunScope& run) {
    const std::uint32_t plan =
        run.add_plan({.operations = {{.layer = 0, .component = "q_proj", .op = "MUL_MAT"},
                                     {.component = "lm_head", .op = "MUL_MAT"}}});
    for (int index = 0; index < 2; ++index) {
      auto token = run.token(Phase::decode);
      token.set_text("x");
      auto pass = run.pass(plan);
      for (int stamp = 0; stamp < 2; ++stamp) {
        std::this_thread::sleep_for(3ms);
        pass.stamp();
      }
    }
  }

  std::shared_ptr<FakeSensor> sensor_ = std::make_shared<FakeSensor>();
  std::optional<PowerMonitor> monitor_;
  Heard heard_;
};

TEST_F(RunMeterTest, EnergyIsToldWhileTheRunGoesOn) {
  ASSERT_TRUE(monitor_->start(2ms));
  InferencePipelineProfiler profiler{&*monitor_, nullptr, {.settle_period = 10ms}};
  profiler.on([&](const Event& event) { heard_.add(event); });
  auto run = profiler.run({.model_name = "m", .depth = Depth::module});
  generate(run);
  ASSERT_TRUE(heard_.wait_for_tokens(1));
  generate(run);
  ASSERT_TRUE(heard_.wait_for_tokens(4));
  EXPECT_TRUE(heard_.of<events::InferenceComplete>().empty());

  std::vector<TokenFigure> tokens;
  for (const auto& settled : heard_.of<events::EnergySettled>()) {
    std::ranges::copy(settled.tokens, std::back_inserter(tokens));
  }
  for (std::size_t index = 0; index < tokens.size(); ++index) {
    EXPECT_EQ(tokens[index].index, index);  // each once, in order
    ASSERT_TRUE(tokens[index].figure.total);
    EXPECT_NEAR(tokens[index].figure.total->value(), 50 * seconds(tokens[index].figure.duration),
                1e-6);
  }
  const events::ComponentMetrics last = heard_.of<events::ComponentMetrics>().back();
  const auto q_proj =
      std::ranges::find(last.components, std::string{"q_proj"}, &ComponentFigure::component);
  ASSERT_NE(q_proj, last.components.end());
  EXPECT_EQ(q_proj->count, 4U);  // the sums so far, not of the last slice
  EXPECT_NEAR(q_proj->figure.mean_power->value(), 50, 1e-6);
  EXPECT_FALSE(heard_.of<events::LayerMetrics>().empty());

  const ProfiledRun& result = run.finish();
  ASSERT_EQ(result.tokens.size(), 4U);
  for (std::size_t index = 0; index < tokens.size(); ++index) {
    EXPECT_EQ(tokens[index].begin, result.tokens[index].begin);
    EXPECT_NEAR(tokens[index].figure.total->value(), result.tokens[index].figure.total->value(),
                1e-6);
  }
}

TEST_F(RunMeterTest, ATokenIsToldBeforeItsEnergyIs) {
  ASSERT_TRUE(monitor_->start(1ms));
  InferencePipelineProfiler profiler{&*monitor_, nullptr, {.settle_period = 1ms}};
  std::set<std::size_t> told;
  std::atomic<bool> in_order{true};
  profiler.on([&](const Event& event) {
    if (const auto* const complete = event.get_if<events::TokenComplete>()) {
      told.insert(complete->index);
    } else if (const auto* const settled = event.get_if<events::EnergySettled>()) {
      for (const TokenFigure& token : settled->tokens) {
        in_order = in_order && told.contains(token.index);
      }
    }
    heard_.add(event);
  });
  auto run = profiler.run({});
  for (int count = 0; count < 20; ++count) {
    generate(run);
  }
  EXPECT_TRUE(heard_.wait_for<events::EnergySettled>());
  EXPECT_TRUE(in_order);
}

TEST_F(RunMeterTest, OperationsAreToldAtDepthDeepAndWhileSomebodyWantsThem) {
  ASSERT_TRUE(monitor_->start(2ms));
  std::atomic<bool> wanted{false};
  InferencePipelineProfiler profiler{
      &*monitor_, nullptr, {.settle_period = 10ms, .wants_operations = [&] {
                              return wanted.load();
                            }}};
  profiler.on([&](const Event& event) { heard_.add(event); });
  auto run = profiler.run({.model_name = "m", .depth = Depth::deep});
  generate(run);
  ASSERT_TRUE(heard_.wait_for<events::ComponentMetrics>());
  EXPECT_TRUE(heard_.of<events::OperationMetrics>().empty());
  wanted = true;
  generate(run);
  ASSERT_TRUE(heard_.wait_for<events::OperationMetrics>());
  EXPECT_EQ(heard_.of<events::OperationMetrics>()[0].operations.size(), 2U);
}

TEST_F(RunMeterTest, NothingIsToldOfMinimalDepthButTokens) {
  InferencePipelineProfiler profiler{nullptr, nullptr, {.settle_period = 5ms}};
  profiler.on([&](const Event& event) { heard_.add(event); });
  auto run = profiler.run({});
  generate(run);
  ASSERT_TRUE(heard_.wait_for<events::EnergySettled>());
  EXPECT_FALSE(heard_.of<events::EnergySettled>()[0].tokens[0].figure.total);  // no power
  run.finish();
  EXPECT_TRUE(heard_.of<events::LayerMetrics>().empty());
}

TEST_F(RunMeterTest, WhoDoesNotAskForItPaysNothing) {
  InferencePipelineProfiler profiler{nullptr, nullptr};
  profiler.on([&](const Event& event) { heard_.add(event); });
  auto run = profiler.run({.depth = Depth::module});
  generate(run);
  run.finish();
  EXPECT_TRUE(heard_.of<events::EnergySettled>().empty());
}

/// A meter and the recorder that it follows.
class LoneMeter {
 public:
  LoneMeter(const PowerMonitor& monitor, Heard& heard, Nanoseconds patience)
      : meter_(&monitor, [&heard](const Event& event) { heard.add(event); },
               {.period = 5ms, .patience = patience}),
        recorder_({.spans = 100, .tokens = 10, .text_bytes = 100}, nullptr, monotonic_clock(),
                  meter_.spans()) {
    recorder_.begin();
    meter_.begin("run", recorder_.begin_time());
    const std::int32_t token = recorder_.open_token(Phase::decode);
    std::this_thread::sleep_for(2ms);
    recorder_.close(token);
  }

 private:
  RunMeter meter_;
  RunRecorder recorder_;
};

TEST_F(RunMeterTest, ASlowSensorIsWaitedFor) {
  ASSERT_TRUE(monitor_->start(1h));  // it says something when asked
  const LoneMeter meter(*monitor_, heard_, 1h);
  std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(heard_.of<events::EnergySettled>().empty());
  monitor_->sync();
  ASSERT_TRUE(heard_.wait_for<events::EnergySettled>());
  EXPECT_TRUE(heard_.of<events::EnergySettled>()[0].tokens.at(0).figure.total);
}

TEST_F(RunMeterTest, ASensorThatIsGoneIsNot) {
  ASSERT_TRUE(monitor_->start(2ms));
  sensor_->mode = FakeSensor::Mode::gone;
  monitor_->sync();
  const LoneMeter meter(*monitor_, heard_, 50ms);
  ASSERT_TRUE(heard_.wait_for<events::EnergySettled>());
  const TokenFigure token = heard_.of<events::EnergySettled>()[0].tokens.at(0);
  EXPECT_FALSE(token.figure.total);  // absent, not zero
  EXPECT_GE(token.figure.duration, 2ms);
}

}  // namespace
}  // namespace enprof
