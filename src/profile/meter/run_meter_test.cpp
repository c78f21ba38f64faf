#include "profile/meter/run_meter.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::FakeSensor;

/// The data of that type of all events.
template <class Data>
std::vector<Data> of(const std::vector<Event>& events) {
  std::vector<Data> result;
  for (const Event& event : events) {
    if (const auto* const data = event.get_if<Data>()) {
      result.push_back(*data);
    }
  }
  return result;
}

/// Runs on a clock that the tests move, which wait until all threads have done what was due: then
/// they rest, and what they have told can be looked at.
class RunMeterTest : public ::testing::Test {
 protected:
  RunMeterTest() {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(std::make_unique<testing::FakeSource>("fake", std::vector<std::string>{"cpu"},
                                                            clock_, sensor_));
    monitor_.emplace(std::move(sources), clock_);
  }

  /// Two tokens of 6 ms with a pass of two operations each.
  void generate(RunScope& run) {
    const std::uint32_t plan =
        run.add_plan({.operations = {{.layer = 0, .component = "q_proj", .op = "MUL_MAT"},
                                     {.component = "lm_head", .op = "MUL_MAT"}}});
    for (int index = 0; index < 2; ++index) {
      auto token = run.token(Phase::decode);
      token.set_text("x");
      auto pass = run.pass(plan);
      for (int stamp = 0; stamp < 2; ++stamp) {
        clock_.pass(3ms);
        pass.stamp();
      }
    }
  }
  /// Until the meter has looked, and the listeners have been told.
  void wait_for_events() { clock_.pass(200ms); }

  testing::ManualClock clock_;
  std::shared_ptr<FakeSensor> sensor_ = std::make_shared<FakeSensor>();
  std::optional<PowerMonitor> monitor_;
  std::vector<Event> heard_;
};

TEST_F(RunMeterTest, EnergyIsToldWhileTheRunGoesOn) {
  ASSERT_TRUE(monitor_->start(2ms));
  InferencePipelineProfiler profiler{
      &*monitor_, nullptr, {.clock = &clock_, .settle_period = 10ms}};
  profiler.on([&](const Event& event) { heard_.push_back(event); });
  auto run = profiler.run({.model_name = "m", .depth = Depth::module});
  generate(run);
  wait_for_events();
  generate(run);
  wait_for_events();
  EXPECT_TRUE(of<events::InferenceComplete>(heard_).empty());

  std::vector<TokenFigure> tokens;
  for (const auto& settled : of<events::EnergySettled>(heard_)) {
    std::ranges::copy(settled.tokens, std::back_inserter(tokens));
  }
  ASSERT_EQ(tokens.size(), 4U);
  for (std::size_t index = 0; index < tokens.size(); ++index) {
    EXPECT_EQ(tokens[index].index, index);  // each once, in order
    EXPECT_EQ(tokens[index].figure.duration, 6ms);
    ASSERT_TRUE(tokens[index].figure.total);
    EXPECT_NEAR(tokens[index].figure.total->value(), 50 * 0.006, 1e-9);
  }
  const events::ComponentMetrics last = of<events::ComponentMetrics>(heard_).back();
  const auto q_proj =
      std::ranges::find(last.components, std::string{"q_proj"}, &ComponentFigure::component);
  ASSERT_NE(q_proj, last.components.end());
  EXPECT_EQ(q_proj->count, 4U);  // the sums so far, not of the last slice
  EXPECT_EQ(q_proj->figure.duration, 12ms);
  EXPECT_NEAR(q_proj->figure.mean_power->value(), 50, 1e-6);
  EXPECT_FALSE(of<events::LayerMetrics>(heard_).empty());

  const ProfiledRun& result = run.finish();
  ASSERT_EQ(result.tokens.size(), 4U);
  for (std::size_t index = 0; index < tokens.size(); ++index) {
    EXPECT_EQ(tokens[index].begin, result.tokens[index].begin);
    EXPECT_NEAR(tokens[index].figure.total->value(), result.tokens[index].figure.total->value(),
                1e-9);
  }
}

TEST_F(RunMeterTest, ATokenIsToldBeforeItsEnergyIs) {
  ASSERT_TRUE(monitor_->start(1ms));
  InferencePipelineProfiler profiler{&*monitor_, nullptr, {.clock = &clock_, .settle_period = 1ms}};
  std::set<std::size_t> told;
  bool in_order = true;
  profiler.on([&](const Event& event) {
    if (const auto* const complete = event.get_if<events::TokenComplete>()) {
      told.insert(complete->index);
    } else if (const auto* const settled = event.get_if<events::EnergySettled>()) {
      for (const TokenFigure& token : settled->tokens) {
        in_order = in_order && told.contains(token.index);
      }
    }
    heard_.push_back(event);
  });
  auto run = profiler.run({});
  for (int count = 0; count < 20; ++count) {
    generate(run);
  }
  wait_for_events();
  EXPECT_FALSE(of<events::EnergySettled>(heard_).empty());
  EXPECT_EQ(told.size(), 40U);
  EXPECT_TRUE(in_order);
}

TEST_F(RunMeterTest, OperationsAreToldAtDepthDeepAndWhileSomebodyWantsThem) {
  ASSERT_TRUE(monitor_->start(2ms));
  bool wanted = false;
  InferencePipelineProfiler profiler{
      &*monitor_, nullptr, {.clock = &clock_, .settle_period = 10ms, .wants_operations = [&] {
                              return wanted;
                            }}};
  profiler.on([&](const Event& event) { heard_.push_back(event); });
  auto run = profiler.run({.model_name = "m", .depth = Depth::deep});
  generate(run);
  wait_for_events();
  EXPECT_FALSE(of<events::ComponentMetrics>(heard_).empty());
  EXPECT_TRUE(of<events::OperationMetrics>(heard_).empty());
  wanted = true;
  generate(run);
  wait_for_events();
  ASSERT_FALSE(of<events::OperationMetrics>(heard_).empty());
  EXPECT_EQ(of<events::OperationMetrics>(heard_)[0].operations.size(), 2U);
}

TEST_F(RunMeterTest, NothingIsToldOfMinimalDepthButTokens) {
  InferencePipelineProfiler profiler{nullptr, nullptr, {.clock = &clock_, .settle_period = 5ms}};
  profiler.on([&](const Event& event) { heard_.push_back(event); });
  auto run = profiler.run({});
  generate(run);
  wait_for_events();
  ASSERT_FALSE(of<events::EnergySettled>(heard_).empty());
  EXPECT_FALSE(of<events::EnergySettled>(heard_)[0].tokens[0].figure.total);  // no power
  run.finish();
  EXPECT_TRUE(of<events::LayerMetrics>(heard_).empty());
}

TEST_F(RunMeterTest, WhoDoesNotAskForItPaysNothing) {
  InferencePipelineProfiler profiler{nullptr, nullptr, {.clock = &clock_}};
  profiler.on([&](const Event& event) { heard_.push_back(event); });
  auto run = profiler.run({.depth = Depth::module});
  generate(run);
  wait_for_events();
  run.finish();
  EXPECT_TRUE(of<events::EnergySettled>(heard_).empty());
}

/// A meter that looks every 5 ms, and the recorder that it follows: one token of 2 ms.
class LoneMeter {
 public:
  LoneMeter(const PowerMonitor& monitor, std::vector<Event>& heard, testing::ManualClock& clock,
            Nanoseconds patience, std::function<Nanoseconds()> cpu_time)
      : meter_(&monitor, [&heard](const Event& event) { heard.push_back(event); },
               {.period = 5ms,
                .clock = &clock,
                .patience = patience,
                .cpu_time = std::move(cpu_time)}),
        recorder_({.spans = 100, .tokens = 10, .text_bytes = 100}, nullptr, clock, meter_.spans()) {
    recorder_.begin();
    meter_.begin("run", recorder_.begin_time(), {});
    const std::int32_t token = recorder_.open_token(Phase::decode);
    clock.pass(2ms);
    recorder_.close(token);
  }
  LoneMeter(const PowerMonitor& monitor, std::vector<Event>& heard, testing::ManualClock& clock,
            Nanoseconds patience)
      : LoneMeter(monitor, heard, clock, patience, [] { return 0ns; }) {}

 private:
  RunMeter meter_;
  RunRecorder recorder_;
};

TEST_F(RunMeterTest, ASlowSensorIsWaitedFor) {
  ASSERT_TRUE(monitor_->start(1h));  // it says something when asked
  const LoneMeter meter(*monitor_, heard_, clock_, 1h);
  clock_.pass(10min);
  EXPECT_TRUE(heard_.empty());
  monitor_->sync();
  clock_.pass(5ms);
  const auto settled = of<events::EnergySettled>(heard_);
  ASSERT_EQ(settled.size(), 1U);
  EXPECT_NEAR(settled[0].tokens.at(0).figure.total->value(), 50 * 0.002, 1e-9);
}

TEST_F(RunMeterTest, ASensorThatIsGoneIsNot) {
  ASSERT_TRUE(monitor_->start(2ms));
  sensor_->mode = FakeSensor::Mode::gone;
  monitor_->sync();
  const LoneMeter meter(*monitor_, heard_, clock_, 50ms);
  clock_.pass(49ms);  // since the token's end
  EXPECT_TRUE(heard_.empty());
  clock_.pass(5ms);
  const auto settled = of<events::EnergySettled>(heard_);
  ASSERT_EQ(settled.size(), 1U);
  const TokenFigure token = settled[0].tokens.at(0);
  EXPECT_FALSE(token.figure.total);  // absent, not zero
  EXPECT_EQ(token.figure.duration, 2ms);
}

TEST_F(RunMeterTest, ItLooksMoreRarelyWhereALookTakesLong) {
  ASSERT_TRUE(monitor_->start(1h));
  int asked = 0;
  const LoneMeter meter(*monitor_, heard_, clock_, 1h, [&] {
    ++asked;  // before and after each look
    return asked / 2 * 1ms;
  });
  clock_.pass(1s - 2ms);
  EXPECT_EQ(asked / 2, 10) << "1 % of a CPU, and not every 5 ms";
}

}  // namespace
}  // namespace enprof
