#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"
#include "support/no_threads.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

std::string constant_power() {
  std::string lines;
  for (int begin = 0; begin < 60'000; begin += 20) {
    lines += R"({"domain":"cpu","begin_ms":)" + std::to_string(begin) + R"(,"end_ms":)" +
             std::to_string(begin + 20) + R"(,"energy_mj":1000})" + "\n";  // 50 W
  }
  return lines;
}

class ProfilerTest : public ::testing::Test {
 protected:
  testing::TempDir dir_;
  testing::ManualClock clock_;
  Result<ProfileDatabase> database_ = ProfileDatabase::connect(dir_.path() / "profiles.db");
  Result<PowerMonitor> monitor_ = PowerMonitor::open(
      "replay:" + dir_.write("power.jsonl", constant_power()).string(), {.clock = &clock_});

  /// Options that a test adds to.
  [[nodiscard]] ProfilerOptions options() const { return {.clock = &clock_}; }

  /// 20 ms of prefill and two tokens of 10 ms each.
  const ProfiledRun& profile(RunScope& run) {
    return profile(run, [this](Nanoseconds duration) { clock_.pass(duration); });
  }
  template <class Wait>
  static const ProfiledRun& profile(RunScope& run, const Wait& wait) {
    run.set_prompt_tokens(2);
    {
      auto section = run.section(Phase::prefill, "forward");
      wait(20ms);
    }
    for (const char* text : {"Hello", " world"}) {
      auto token = run.token(Phase::decode);
      wait(10ms);
      token.set_text(text);
    }
    return run.finish();
  }
  /// Two tokens with a pass each, of a plan with two operations of 3 ms; `stamps` is by token.
  const ProfiledRun& profile_passes(RunScope& run, const std::vector<int>& stamps = {2, 2}) {
    const std::uint32_t plan =
        run.add_plan({.operations = {{.layer = 0, .component = "q_proj", .op = "MUL_MAT"},
                                     {.component = "lm_head", .op = "MUL_MAT"}}});
    for (const int count : stamps) {
      auto token = run.token(Phase::decode);
      auto pass = run.pass(plan);
      clock_.pass(2ms);
      pass.start();
      for (int stamp = 0; stamp < count; ++stamp) {
        clock_.pass(3ms);
        pass.stamp();
      }
      pass.end();
      pass.stamp();  // too late: nothing happens
    }
    return run.finish();
  }

  /// Warnings but those about what else this machine is doing, which a test cannot know.
  static std::vector<Warning> own_warnings(const ProfiledRun& run) {
    std::vector<Warning> result = run.warnings;
    std::erase_if(result, [](const Warning& warning) { return warning.code == "foreign_load"; });
    return result;
  }

  static bool has_warning(const ProfiledRun& run, std::string_view code) {
    return std::ranges::find(run.warnings, code, &Warning::code) != run.warnings.end();
  }
};

TEST_F(ProfilerTest, ARunEndsWhereAnotherBegins) {
  InferencePipelineProfiler profiler{nullptr, nullptr, options()};
  auto first = profiler.run({.model_name = "first"});
  {
    auto token = first.token(Phase::decode);
  }
  auto second = profiler.run({.model_name = "second"});
  {
    auto token = first.token(Phase::decode);
  }  // nothing: it is over
  const ProfiledRun& ended = first.finish();
  EXPECT_EQ(ended.status, RunStatus::failed);
  EXPECT_TRUE(has_warning(ended, "run_overlapped"));
  EXPECT_EQ(ended.tokens.size(), 1U);
  const ProfiledRun& whole = second.finish();
  EXPECT_EQ(whole.status, RunStatus::completed);
  EXPECT_FALSE(has_warning(whole, "run_overlapped"));
}

TEST_F(ProfilerTest, ProfilesWhateverItWraps) {
  ASSERT_TRUE(database_) << database_.error().message;
  ASSERT_TRUE(monitor_) << monitor_.error().message;
  InferencePipelineProfiler profiler{monitor_, database_, options()};
  auto run = profiler.run({.prompt = "Hi", .model_name = "my-model"});
  const ProfiledRun& result = profile(run);

  EXPECT_EQ(result.status, RunStatus::completed);
  EXPECT_EQ(result.model.name, "my-model");
  EXPECT_EQ(result.response, "Hello world");
  EXPECT_EQ(result.totals.output_tokens, 2U);
  EXPECT_EQ(result.totals.figure.duration, 40ms);
  ASSERT_TRUE(result.totals.figure.total);
  EXPECT_NEAR(result.totals.figure.total->value(), 50 * 0.040, 1e-9);
  EXPECT_EQ(result.totals.time_to_first_token, 30ms);
  ASSERT_EQ(result.tokens.size(), 2U);
  for (const TokenFigure& token : result.tokens) {
    EXPECT_EQ(token.figure.duration, 10ms);
    EXPECT_NEAR(token.figure.total->value(), 50 * 0.010, 1e-9);
  }
  EXPECT_EQ(own_warnings(result), std::vector<Warning>{});
  EXPECT_FALSE(profiler.run({}).id().empty());
}

TEST_F(ProfilerTest, SavesTheRun) {
  InferencePipelineProfiler profiler{monitor_, database_, options()};
  auto run = profiler.run({.prompt = "Hi", .model_name = "my-model", .tags = {"t"}});
  const ProfiledRun& result = profile(run);
  const auto stored = database_->get_run(result.run_id);
  ASSERT_TRUE(stored && *stored);
  EXPECT_EQ(**stored, result);
}

TEST_F(ProfilerTest, WithoutPowerTimingsRemain) {
  Result<PowerMonitor> none = fail(ErrorCode::permission_denied, "no rights", "chmod");
  InferencePipelineProfiler profiler{none, database_, options()};
  auto run = profiler.run({.model_name = "m"});
  const ProfiledRun& result = profile(run);
  EXPECT_FALSE(result.totals.figure.total);
  EXPECT_EQ(result.totals.figure.duration, 40ms);
  EXPECT_EQ(own_warnings(result),
            (std::vector<Warning>{{"power", "power_failed", "no rights", "chmod"}}));
  EXPECT_TRUE(**database_->get_run(result.run_id) == result);
}

TEST_F(ProfilerTest, WithoutADatabaseTheRunIsStillThere) {
  Result<ProfileDatabase> none = fail(ErrorCode::io, "disk on fire");
  InferencePipelineProfiler profiler{monitor_, none, options()};
  auto run = profiler.run({.model_name = "m"});
  const ProfiledRun& result = profile(run);
  EXPECT_TRUE(result.totals.figure.total);
  EXPECT_TRUE(has_warning(result, "not_saved"));
}

TEST_F(ProfilerTest, AScopeLeftByAnExceptionIsAFailedRun) {
  InferencePipelineProfiler profiler{monitor_, database_, options()};
  std::string id;
  try {
    auto run = profiler.run({.model_name = "m"});
    id = run.id();
    auto section = run.section(Phase::prefill, "forward");
    throw std::runtime_error("engine failed");
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "engine failed");
  }
  const auto stored = database_->get_run(id);
  ASSERT_TRUE(stored && *stored);
  EXPECT_EQ((*stored)->status, RunStatus::failed);
}

TEST_F(ProfilerTest, AScopeLeftQuietlyIsACompletedRun) {
  InferencePipelineProfiler profiler{monitor_, database_, options()};
  std::string id;
  {
    auto run = profiler.run({.model_name = "m"});
    id = run.id();
  }
  EXPECT_EQ((*database_->get_run(id))->status, RunStatus::completed);
}

TEST_F(ProfilerTest, AnAbandonedRunLeavesNothing) {
  InferencePipelineProfiler profiler{monitor_, database_, options()};
  std::string id;
  {
    auto run = profiler.run({.model_name = "m"});
    id = run.id();
    run.abandon();
  }
  EXPECT_FALSE(*database_->get_run(id));
}

TEST_F(ProfilerTest, ListenersHearInOrderAndOneThatThrowsHarmsNobody) {
  InferencePipelineProfiler profiler{monitor_, database_, options()};
  std::vector<EventType> heard;
  std::string text;
  profiler.on([](const Event&) { throw std::runtime_error("listener failed"); });
  profiler.on([&](const Event& event) {
    if (event.type() != EventType::power_sample) {
      heard.push_back(event.type());
    }
    if (const auto* const token = event.get_if<events::TokenComplete>()) {
      text += token->text;
    }
  });
  auto run = profiler.run({.model_name = "m"});
  const ProfiledRun& result = profile(run);

  EXPECT_EQ(heard,
            (std::vector<EventType>{EventType::run_started, EventType::section_start,
                                    EventType::section_end, EventType::token_complete,
                                    EventType::token_complete, EventType::inference_complete}));
  EXPECT_EQ(text, "Hello world");
  EXPECT_EQ(result.status, RunStatus::completed);
  EXPECT_FALSE(has_warning(result, "dropped_events"));
}

TEST_F(ProfilerTest, ListenersHearEveryPeriodAndSoonerWhereSomebodyWatches) {
  struct Case {
    Nanoseconds period;
    bool is_watched;
    std::vector<Nanoseconds> heard;  // of tokens, since the run's begin
    int deliveries;                  // before the run's end
  };
  for (const Case& each : {
           Case{1h, true, {33ms, 66ms, 99ms}, 4},  // watchers are shown 30 pictures a second
           Case{1h, false, {120ms, 120ms, 120ms}, 1},
           Case{1ms, false, {1ms, 41ms, 81ms}, 121},
       }) {
    const Instant begin = clock_.now();
    int deliveries = 0;
    std::vector<Nanoseconds> heard;
    InferencePipelineProfiler profiler{
        nullptr, nullptr, {.clock = &clock_, .event_period = each.period, .is_watched = [&] {
                             ++deliveries;
                             return each.is_watched;
                           }}};
    profiler.on([&](const Event& event) {
      if (event.type() == EventType::token_complete) {
        heard.push_back(clock_.now() - begin);
      }
    });
    auto run = profiler.run({.model_name = "m"});
    clock_.settle();  // the run's begin is sent immediately
    for (int token = 0; token < 3; ++token) {
      run.token(Phase::decode).set_text("hi");
      clock_.pass(40ms);
    }
    EXPECT_EQ(deliveries, each.deliveries);
    run.finish();
    EXPECT_EQ(heard, each.heard);
  }
}

TEST_F(ProfilerTest, WithoutThreadsARunIsSavedAndHeardOfAtItsEnd) {
  std::vector<EventType> heard;
  InferencePipelineProfiler profiler{
      nullptr, &*database_, {.clock = &clock_, .settle_period = 1ms}};
  profiler.on([&](const Event& event) { heard.push_back(event.type()); });
  const testing::NoThreads none;
  if (!none.why_not().empty()) {
    GTEST_SKIP() << none.why_not();
  }
  auto run = profiler.run({.prompt = "Hi", .model_name = "my-model"});
  const ProfiledRun& result = profile(run);
  EXPECT_EQ(result.response, "Hello world");
  EXPECT_EQ(own_warnings(result), std::vector<Warning>{});
  EXPECT_EQ(heard,
            (std::vector<EventType>{EventType::run_started, EventType::section_start,
                                    EventType::section_end, EventType::token_complete,
                                    EventType::token_complete, EventType::inference_complete}));
  const auto stored = database_->get_run(result.run_id);
  ASSERT_TRUE(stored && *stored);
  EXPECT_EQ(**stored, result);
}

TEST_F(ProfilerTest, ASlowListenerMissesEventsAndTheRunSaysSo) {
  InferencePipelineProfiler profiler{monitor_, database_, options()};
  std::promise<void> gate;
  profiler.on([open = gate.get_future().share()](const Event&) { open.wait(); });
  auto run = profiler.run({.model_name = "m", .max_output_tokens = 100'000});
  for (int index = 0; index < 100'000; ++index) {
    auto section = run.section(Phase::decode, "s");
  }
  gate.set_value();
  EXPECT_TRUE(has_warning(run.finish(), "dropped_events"));
}

/// What a listener hangs on, shared with it: it is left behind.
struct Gate {
  std::promise<void> opened;
  std::shared_future<void> open = opened.get_future().share();
  std::atomic<int> heard{0};
};

TEST_F(ProfilerTest, AListenerThatHangsIsLeftBehindAndTheRunIsSaved) {
  const auto gate = std::make_shared<Gate>();
  const auto healthy = std::make_shared<std::vector<EventType>>();
  {
    InferencePipelineProfiler profiler{
        nullptr, &*database_, {.clock = &clock_, .event_period = 1ms, .listener_patience = 20ms}};
    // Nobody waits for the thread that hangs.
    const auto advance = [this](Nanoseconds duration) { clock_.advance(duration); };
    profiler.on([gate](const Event&) {
      ++gate->heard;
      gate->open.wait();
    });
    profiler.on([healthy](const Event& event) { healthy->push_back(event.type()); });
    std::string first;
    {
      RunScope run = profiler.run({.model_name = "m"});
      first = run.id();
      testing::wait_until("the listener hangs", [&] { return gate->heard > 0; });
      std::thread patience([this] { clock_.pass_when_awaited(20ms); });
      const ProfiledRun result = profile(run, advance);
      patience.join();
      EXPECT_EQ(result.status, RunStatus::completed);
      EXPECT_TRUE(has_warning(result, "listener_left"));
      EXPECT_EQ(healthy->back(), EventType::inference_complete) << "others hear the rest";
    }
    EXPECT_EQ((*database_->summary(first))->status, RunStatus::completed);

    // The next run does without it.
    RunScope next = profiler.run({.model_name = "m"});
    const ProfiledRun result = profile(next, advance);
    EXPECT_FALSE(has_warning(result, "listener_left"));
    EXPECT_TRUE(has_warning(result, "dropped_events"));
    EXPECT_EQ(gate->heard, 1);
  }
  gate->opened.set_value();  // it comes back when profiler and runs are gone
  testing::wait_until("the listener is gone", [&] { return gate.use_count() == 1; });
}

TEST_F(ProfilerTest, APhaseThatCutsASectionIsAWarningAndTheTokenIsWhereItBelongs) {
  InferencePipelineProfiler profiler{nullptr, nullptr, options()};
  RunScope run = profiler.run({.model_name = "m"});
  auto section = run.section(Phase::prefill, "forward");
  {
    auto token = run.token(Phase::decode);
    token.set_text("x");
  }
  section.end();
  const ProfiledRun result = run.finish();
  ASSERT_EQ(result.tokens.size(), 1U);
  EXPECT_EQ(result.tokens[0].phase, Phase::decode);
  EXPECT_TRUE(has_warning(result, "spans_cut"));
}

TEST_F(ProfilerTest, ARunHearsOfItsOwnPowerTroublesAlone) {
  const auto sensor = std::make_shared<testing::FakeSensor>();
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<testing::FakeSource>("fake", std::vector<std::string>{"cpu"},
                                                          clock_, sensor));
  PowerMonitor monitor(std::move(sources), clock_);
  ASSERT_TRUE(monitor.start(1h));  // it is read at a run's edges alone
  InferencePipelineProfiler profiler{&monitor, nullptr, options()};
  {
    auto run = profiler.run({});
    sensor->mode = testing::FakeSensor::Mode::failing;
    monitor.sync();
    sensor->mode = testing::FakeSensor::Mode::steady;
    EXPECT_TRUE(has_warning(run.finish(), "sensor_retried"));
  }
  clock_.advance(1ms);
  sensor->celsius = 40;
  auto run = profiler.run({});
  const ProfiledRun& next = profile(run);
  EXPECT_EQ(own_warnings(next), std::vector<Warning>{});
  ASSERT_TRUE(next.totals.figure.total);
  EXPECT_NEAR(next.totals.figure.mean_power->value(), 50, 1e-9);
}

TEST_F(ProfilerTest, PassesBecomeLayersComponentsAndOperations) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, options()};
  auto run = profiler.run({.model_name = "m", .depth = Depth::deep});
  EXPECT_EQ(run.depth(), Depth::deep);
  const ProfiledRun& result = profile_passes(run);
  EXPECT_EQ(own_warnings(result), std::vector<Warning>{});
  ASSERT_EQ(result.layers.size(), 2U);
  EXPECT_EQ(result.layers[1].layer, 0);
  EXPECT_EQ(result.layers[1].count, 2U);
  EXPECT_EQ(result.layers[1].figure.duration, 6ms);
  ASSERT_TRUE(result.layers[1].figure.total);
  EXPECT_NEAR(result.layers[1].figure.total->value(), 50 * 0.006, 1e-6);
  ASSERT_EQ(result.components.size(), 3U);  // and (self)
  ASSERT_EQ(result.operations.size(), 2U);
  ASSERT_EQ(result.operation_table.events.size(), 4U);
  EXPECT_EQ(result.operation_table.events[3].token, 1);
  // Layers add up to the tokens, but for the little that a token does outside its pass.
  Joules layers;
  for (const LayerFigure& layer : result.layers) {
    layers += *layer.figure.total;
  }
  EXPECT_LE(layers, *result.phases.back().figure.total);
}

TEST_F(ProfilerTest, ModuleDepthKeepsComponentsAndMinimalNoPasses) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, options()};
  {
    auto run = profiler.run({.model_name = "m", .depth = Depth::module});
    const ProfiledRun& result = profile_passes(run);
    EXPECT_EQ(result.layers.size(), 2U);
    EXPECT_TRUE(result.operations.empty());
    EXPECT_EQ(result.operation_table.events.size(), 4U);  // of components
  }
  auto run = profiler.run({.model_name = "m", .depth = Depth::minimal});
  const ProfiledRun& result = profile_passes(run);
  EXPECT_TRUE(result.layers.empty());
  EXPECT_EQ(result.tokens.size(), 2U);
  EXPECT_EQ(own_warnings(result), std::vector<Warning>{});
}

TEST_F(ProfilerTest, APassOffItsPlanIsNotToldApart) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, options()};
  auto run = profiler.run({.model_name = "m", .depth = Depth::deep});
  const ProfiledRun& result = profile_passes(run, {2, 1, 3});
  EXPECT_TRUE(has_warning(result, "mismatched_passes"));
  EXPECT_EQ(result.operation_table.events.size(), 2U);
  const auto untimed = std::ranges::find(result.components, std::string{kUntimedComponent},
                                         &ComponentFigure::component);
  ASSERT_NE(untimed, result.components.end());
  EXPECT_EQ(untimed->count, 2U);
}

TEST_F(ProfilerTest, PassesBeyondTheMemoryAreToldAndKeepTheirTime) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, {.clock = &clock_, .max_operations = 3}};
  auto run = profiler.run({.model_name = "m", .depth = Depth::deep});
  const ProfiledRun& result = profile_passes(run);
  EXPECT_TRUE(has_warning(result, "dropped_passes"));
  EXPECT_EQ(result.operation_table.events.size(), 2U);
  EXPECT_EQ(result.tokens.size(), 2U);
}

TEST_F(ProfilerTest, HooksThatFailLeaveTokens) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, options()};
  auto run = profiler.run({.model_name = "m", .depth = Depth::deep});
  run.fail_hooks({.code = ErrorCode::unsupported, .message = "no callback", .hint = "Use the CPU"});
  {
    auto token = run.token(Phase::decode);
  }
  const ProfiledRun& result = run.finish();
  ASSERT_TRUE(has_warning(result, "hooks_failed"));
  EXPECT_EQ(own_warnings(result)[0].hint, "Use the CPU");
  EXPECT_EQ(result.tokens.size(), 1U);
  EXPECT_TRUE(result.layers.empty());
}

TEST_F(ProfilerTest, ValuesAreGathered) {
  InferencePipelineProfiler profiler{&*monitor_, nullptr, options()};
  auto run = profiler.run({.model_name = "m", .depth = Depth::deep});
  run.add_values({.every = 16,
                  .passes = 1,
                  .sparsity_threshold = 0.05,
                  .activations = {{.component = "q_proj"}},
                  .attention = {},
                  .experts = {}});
  run.add_values({.every = 16, .passes = 1, .attention = {{.head = 3}}, .experts = {{.layer = 2}}});
  const SampledValues& values = run.finish().values;
  EXPECT_EQ(values.every, 16U);
  EXPECT_EQ(values.passes, 2U);
  EXPECT_EQ(values.sparsity_threshold, 0.05);
  EXPECT_EQ(values.activations.size(), 1U);
  EXPECT_EQ(values.attention.at(0).head, 3);
  EXPECT_EQ(values.experts.at(0).layer, 2);
}

TEST_F(ProfilerTest, WhatDisturbsTheMachineIsSaidOnTheRun) {
  const auto write_kernel = [this](int seconds_stalled, int events, const char* allowed_khz) {
    dir_.write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=" +
                                           std::to_string(seconds_stalled * 1'000'000) + "\n");
    dir_.write("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
               std::to_string(events) + "\n");
    dir_.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", allowed_khz);
  };
  write_kernel(1, 5, "4000000\n");
  InferencePipelineProfiler profiler{
      nullptr, nullptr, {.procfs_root = dir_.path() / "proc", .sysfs_root = dir_.path() / "sys"}};
  auto run = profiler.run({});
  {
    auto token = run.token(Phase::decode);
  }
  write_kernel(601, 7, "2000000\n");  // ten minutes: more than the run took
  const ProfiledRun& result = run.finish();
  for (const char* code : {"memory_pressure", "cpu_throttled", "cpu_frequency_changed"}) {
    EXPECT_TRUE(has_warning(result, code)) << code;
  }
}

TEST_F(ProfilerTest, ASimulatedRunIsNotDisturbedByThisMachine) {
  dir_.write("proc/pressure/memory", "some total=0\n");
  ProfilerOptions simulated = options();
  simulated.procfs_root = dir_.path() / "proc";
  InferencePipelineProfiler profiler{nullptr, nullptr, simulated};
  auto run = profiler.run({});
  dir_.write("proc/pressure/memory", "some total=3600000000\n");
  EXPECT_EQ(own_warnings(profile(run)), std::vector<Warning>{});
}

TEST_F(ProfilerTest, TheMonitorIsStartedAndStopped) {
  {
    InferencePipelineProfiler profiler{monitor_, database_, options()};
    EXPECT_FALSE(monitor_->is_running());
    auto run = profiler.run({.model_name = "m"});
    EXPECT_TRUE(monitor_->is_running());
  }
  EXPECT_FALSE(monitor_->is_running());
}

}  // namespace
}  // namespace enprof
