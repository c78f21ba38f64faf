#include "support/power_sampler_fixture.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::FakeSensor;
using ::testing::HasSubstr;
using testing::PowerSamplerTest;
using Mode = FakeSensor::Mode;

TEST_F(PowerSamplerTest, SyncMakesAnEdge) {
  const auto sampler = started();
  const Instant start = clock_.now();
  clock_.advance(3ms);
  sampler->sync();
  clock_.advance(4ms);
  sampler->sync();
  const auto windows = all(*sampler);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].begin, start);
  EXPECT_EQ(windows[0].end, start + 3ms);
  EXPECT_EQ(windows[1].end, start + 7ms);
  EXPECT_DOUBLE_EQ(windows[1].energy.value(), 0.2);
  sampler->stop();
}

// It is read once an hour: the reading that ends the window is asked for.
TEST_F(PowerSamplerTest, WaitsForAWindowAfterAnInstant) {
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<testing::FakeSource>(
      "fake", std::vector<std::string>{"cpu"}, monotonic_clock(), std::make_shared<FakeSensor>()));
  const auto sampler = std::make_shared<PowerSampler>(std::move(sources), monotonic_clock());
  ASSERT_TRUE(sampler->start(1h));
  const Instant end = monotonic_clock().now();
  sampler->sync();
  EXPECT_LT(sampler->windows(end - 1h, end + 1h)[0].back().begin, end);
  sampler->wait_for_windows_after(end);
  EXPECT_GE(sampler->windows(end - 1h, end + 1h)[0].back().begin, end);
  sampler->stop();
}

TEST_F(PowerSamplerTest, ASensorWithoutWindowsIsNotWaitedFor) {
  const auto sampler = started();
  sensors_[0]->mode = Mode::failing;
  sampler->sync();
  const int polls = sensors_[0]->polls;
  sampler->wait_for_windows_after(clock_.now());
  EXPECT_EQ(sensors_[0]->polls, polls);  // it would be read again after 10 ms
  sampler->stop();
}

TEST_F(PowerSamplerTest, StopTakesALastReading) {
  const auto sampler = started();
  clock_.advance(5ms);
  sampler->stop();
  const auto windows = all(*sampler);
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0].end, clock_.now());
}

TEST_F(PowerSamplerTest, CannotBeStartedTwice) {
  const auto sampler = started();
  const auto again = sampler->start(10ms);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::already_running);
  EXPECT_EQ(again.error().message, "PowerMonitor is already running");
  EXPECT_TRUE(sampler->is_running());
  sampler->stop();
}

TEST_F(PowerSamplerTest, CanBeStoppedAnyNumberOfTimes) {
  add("fake", {"cpu"});
  const auto sampler = make();
  sampler->stop();
  ASSERT_TRUE(sampler->start(10ms));
  sampler->stop();
  sampler->stop();
  EXPECT_FALSE(sampler->is_running());
  sampler->sync();  // returns at once
}

TEST_F(PowerSamplerTest, ANewStartBeginsWithNothing) {
  const auto sampler = started();
  clock_.advance(10ms);
  sensors_[0]->mode = Mode::failing;
  sampler->stop();
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_retried"});
  sensors_[0]->mode = Mode::steady;
  clock_.advance(1h);
  ASSERT_TRUE(sampler->start(10ms));
  EXPECT_TRUE(all(*sampler).empty());
  EXPECT_TRUE(sampler->warnings().empty());
  clock_.advance(10ms);
  sampler->stop();
  ASSERT_EQ(all(*sampler).size(), 1U);
  EXPECT_DOUBLE_EQ(sampler->now().energy_since_start.value(), 0.5);
}

TEST_F(PowerSamplerTest, RefusesAnIntervalThatIsNone) {
  add("fake", {"cpu"});
  const auto sampler = make();
  for (const Nanoseconds interval : {0ms, -5ms}) {
    const auto result = sampler->start(interval);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_FALSE(sampler->is_running());
}

TEST_F(PowerSamplerTest, EachSourceIsPolledAtItsOwnPace) {
  add("slow", {"gpu-0"}).shortest = 100ms;
  add("quick", {"package-0"}).shortest = 1ms;  // polled after the slow one in each round
  const auto sampler = started();
  clock_.pass(50ms);
  EXPECT_EQ(sensors_[1]->polls, 5);
  EXPECT_EQ(sensors_[0]->polls, 0);
  clock_.pass(50ms);
  EXPECT_EQ(sensors_[1]->polls, 10);
  EXPECT_EQ(sensors_[0]->polls, 1);
  sampler->stop();
  EXPECT_EQ(sensors_[0]->polls, 2) << "and at the end";
}

TEST_F(PowerSamplerTest, ACounterIsReadBeforeItCouldGoAroundTwice) {
  add("counter", {"package-0"}).longest = 5ms;
  const auto sampler = make();
  ASSERT_TRUE(sampler->start(1h));
  clock_.pass(50ms);
  EXPECT_EQ(sensors_[0]->polls, 10);
  sampler->stop();
}

// ---- rates and readings ------------------------------------------------------------------------

TEST_F(PowerSamplerTest, ARateFarFromTheOneAskedForIsAWarning) {
  const auto sampler = started();
  ASSERT_EQ(sampler->rates().size(), 1U);
  EXPECT_EQ(sampler->rates()[0].source, "fake");
  EXPECT_DOUBLE_EQ(sampler->rates()[0].asked_hz, 100);
  EXPECT_FALSE(sampler->rates()[0].actual_hz);
  for (int step = 0; step < 1'000; ++step) {
    clock_.advance(10ms);
    sampler->sync();
  }
  EXPECT_NEAR(*sampler->rates()[0].actual_hz, 100, 1);
  EXPECT_TRUE(sampler->warnings().empty());
  for (int step = 0; step < 300; ++step) {
    clock_.advance(40ms);
    sampler->sync();
  }
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"rate_deviation"});
  EXPECT_THAT(sampler->warnings()[0].message, HasSubstr("25 times a second instead of 100"));
  EXPECT_NEAR(*sampler->rates()[0].actual_hz, 25, 0.5);
  sampler->stop();
}

TEST_F(PowerSamplerTest, ASourceThatMustBeReadRarelyHasThatRate) {
  add("slow", {"gpu-0"}).shortest = 100ms;
  const auto sampler = started();
  EXPECT_DOUBLE_EQ(sampler->rates()[0].asked_hz, 10);
  sampler->stop();
}

TEST_F(PowerSamplerTest, ReadingsBesideEnergyAreKept) {
  add("one", {"package-0", "core-0"});
  add("other", {"gpu-0"}).shortest = 1h;  // read only when requested
  sensors_[1]->celsius = 61.5;
  const auto sampler = started();
  clock_.advance(10ms);
  sampler->sync();
  const Instant first = clock_.now();
  sensors_[1]->celsius = std::numeric_limits<double>::infinity();
  clock_.advance(10ms);
  sampler->sync();
  const auto readings = sampler->readings(first - 1h, first + 1h);
  ASSERT_EQ(readings.size(), 1U);
  EXPECT_EQ(readings[0].domain, 2) << "index in the list of all sources' domains";
  EXPECT_EQ(readings[0].at, first);
  EXPECT_DOUBLE_EQ(readings[0].value, 61.5);
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"invalid_windows"});
  sampler->stop();
}

TEST_F(PowerSamplerTest, WarningsCanBeAskedForSinceAnInstant) {
  const auto sampler = started();
  sensors_[0]->mode = Mode::failing;
  sampler->sync();
  sensors_[0]->mode = Mode::steady;
  clock_.advance(1ms);
  EXPECT_EQ(sampler->warnings().size(), 1U);
  EXPECT_TRUE(sampler->warnings(clock_.now()).empty());
  sensors_[0]->mode = Mode::gone;
  sampler->sync();
  clock_.advance(10ms);
  EXPECT_EQ(sampler->warnings(clock_.now()).size(), 1U) << "it is still lost";
  sampler->stop();
}

TEST_F(PowerSamplerTest, APriorityThatIsRefusedIsAWarningAndNoMore) {
  if (!testing::Unprivileged::works()) {
    const testing::Unprivileged nobody;
    add("fake", {"cpu"});
    const auto sampler = make();
    ASSERT_TRUE(sampler->start(10ms, SamplingPriority::realtime));
    EXPECT_EQ(codes(*sampler), std::vector<std::string>{"realtime_refused"});
    EXPECT_THAT(sampler->warnings()[0].hint, HasSubstr("CAP_SYS_NICE"));
    clock_.advance(1ms);
    sampler->stop();
    EXPECT_EQ(all(*sampler).size(), 1U);
  }
}

// ---- all together ------------------------------------------------------------------------------

TEST_F(PowerSamplerTest, DomainsOfAllSourcesAreOneList) {
  add("rapl", {"package-0", "core-0"});
  add("board", {"psys", "package-0"});
  const auto sampler = started();
  std::vector<std::string> names;
  for (const Domain& domain : sampler->domains()) {
    names.push_back(domain.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"package-0", "core-0", "psys", "board:package-0"}));
  EXPECT_EQ(sampler->domains()[0].parent, 2U);
  EXPECT_EQ(sampler->domains()[1].parent, 0U);
  EXPECT_TRUE(sampler->domains()[2].is_root());
  EXPECT_EQ(sampler->descriptions(), (std::vector<std::string>{"rapl: a fake", "board: a fake"}));
  clock_.advance(10ms);
  sampler->stop();
  std::vector<int> counts(4);
  for (const EnergyWindow& window : all(*sampler)) {
    ++counts.at(window.domain);
  }
  EXPECT_EQ(counts, (std::vector<int>{1, 1, 1, 1}));
  // Only psys is a root: 50 W, not 200.
  EXPECT_DOUBLE_EQ(sampler->now().energy_since_start.value(), 0.5);
  EXPECT_DOUBLE_EQ(sampler->now().total->value(), 50);
}

TEST_F(PowerSamplerTest, AnyThreadMayAskAtAnyTime) {
  const auto sampler = started();
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int index = 0; index < 4; ++index) {
    threads.emplace_back([&] {
      for (int count = 0; count < 50; ++count) {
        clock_.advance(100us);
        sampler->sync();
        static_cast<void>(sampler->windows(clock_.now() - 1s, clock_.now()));
        static_cast<void>(sampler->now());
        static_cast<void>(sampler->warnings());
        sampler->forget_before(clock_.now() - 1h);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  sampler->stop();
  double sum = 0;
  for (const EnergyWindow& window : all(*sampler)) {
    sum += window.energy.value();
  }
  EXPECT_NEAR(sum, 50 * 4 * 50 * 100e-6, 1e-9);
}

TEST_F(PowerSamplerTest, WithoutSourcesItRunsAndMeasuresNothing) {
  const auto sampler = make();
  ASSERT_TRUE(sampler->start(10ms));
  EXPECT_TRUE(sampler->is_running());
  EXPECT_FALSE(sampler->start(10ms));
  sampler->sync();
  EXPECT_FALSE(sampler->now().total);
  sampler->stop();
  EXPECT_FALSE(sampler->is_running());
  EXPECT_TRUE(sampler->warnings().empty());
}

}  // namespace
}  // namespace enprof
