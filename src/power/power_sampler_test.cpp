#include "power/power_sampler.hpp"

#include "support/fake_source.hpp"
#include "support/fake_sysfs.hpp"
#include "support/fifo.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <thread>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::FakeSensor;
using testing::FakeSource;
using ::testing::HasSubstr;
using Mode = FakeSensor::Mode;

constexpr Nanoseconds kShort = 100ms;

/// The clock stands still, so that a sampler polls when it is synced and at no other time.
class PowerSamplerTest : public ::testing::Test {
 protected:
  FakeSource& add(const std::string& name, const std::vector<std::string>& domains) {
    sensors_.push_back(std::make_shared<FakeSensor>());
    auto source = std::make_unique<FakeSource>(name, domains, clock_, sensors_.back());
    FakeSource& result = *source;
    sources_.push_back(std::move(source));
    return result;
  }
  std::shared_ptr<PowerSampler> make(PowerSampler::Patience patience = {}) {
    const auto sampler = std::make_shared<PowerSampler>(std::move(sources_), clock_, patience);
    made_ = sampler;
    return sampler;
  }
  /// A test that fails half-way leaves no thread behind that reads the clock.
  void TearDown() override {
    if (const auto sampler = made_.lock()) {
      sampler->stop();
    }
  }
  /// Starts it with the first source alone, as most tests have it.
  std::shared_ptr<PowerSampler> started(PowerSampler::Patience patience = {}) {
    if (sources_.empty()) {
      add("fake", {"cpu"});
    }
    auto sampler = make(patience);
    const auto result = sampler->start(10ms);
    EXPECT_TRUE(result) << result.error().message;
    return sampler;
  }
  std::vector<EnergyWindow> all(const PowerSampler& sampler) const {
    return sampler.windows(clock_.now() - 1h, clock_.now() + 1h);
  }
  static std::vector<std::string> codes(const PowerSampler& sampler) {
    std::vector<std::string> result;
    for (const Warning& warning : sampler.warnings()) {
      result.push_back(warning.code);
    }
    return result;
  }
  /// Waits for what must come; a test that fails here would otherwise hang.
  template <class Condition>
  static bool eventually(Condition condition) {
    for (int wait = 0; wait < 30'000; ++wait) {
      if (condition()) {
        return true;
      }
      std::this_thread::sleep_for(1ms);
    }
    return false;
  }

  testing::ManualClock clock_;
  std::weak_ptr<PowerSampler> made_;
  std::vector<std::shared_ptr<FakeSensor>> sensors_;
  std::vector<std::unique_ptr<PowerSource>> sources_;
};

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

TEST_F(PowerSamplerTest, FailedReadingsAreCountedAndSamplingGoesOn) {
  const auto sampler = started();
  sensors_[0]->mode = Mode::failing;
  for (int count = 0; count < 3; ++count) {
    clock_.advance(1ms);
    sampler->sync();
  }
  sensors_[0]->mode = Mode::steady;
  clock_.advance(1ms);
  sampler->stop();
  EXPECT_EQ(all(*sampler).size(), 1U);
  const auto warnings = sampler->warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].message, "fake: 3 readings failed; the first: fake does not answer");
}

TEST_F(PowerSamplerTest, ASourceThatIsLostTakesNoOtherWithIt) {
  add("one", {"package-0"});
  add("other", {"gpu-0"});
  const auto sampler = started();
  sensors_[0]->mode = Mode::gone;
  for (int count = 0; count < 3; ++count) {
    clock_.advance(1ms);
    sampler->sync();
  }
  EXPECT_TRUE(sampler->is_running());
  sampler->stop();
  EXPECT_EQ(sensors_[0]->polls, 1) << "what is gone is not asked again";
  EXPECT_EQ(all(*sampler).size(), 4U - 1U);
  const auto warnings = sampler->warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, "sensor_gone");
  EXPECT_THAT(warnings[0].message, HasSubstr("one was unplugged"));
  EXPECT_EQ(warnings[0].hint, "wait");
}

TEST_F(PowerSamplerTest, ASourceThatThrowsIsLostAndNothingElse) {
  add("one", {"package-0"});
  add("two", {"gpu-0"});
  add("other", {"wall"});
  const auto sampler = started();
  sensors_[0]->mode = Mode::throwing;
  sensors_[1]->mode = Mode::throwing_something_odd;
  clock_.advance(1ms);
  sampler->sync();
  clock_.advance(1ms);
  sampler->stop();
  EXPECT_EQ(all(*sampler).size(), 2U);
  const auto warnings = sampler->warnings();
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_THAT(warnings[0].message, HasSubstr("division by cucumber"));
  EXPECT_THAT(warnings[1].message, HasSubstr("unknown type"));
}

TEST_F(PowerSamplerTest, AnEndOnPurposeIsToldAsSuch) {
  const auto sampler = started();
  sensors_[0]->mode = Mode::stopped;
  clock_.advance(1ms);
  sampler->sync();
  EXPECT_TRUE(sampler->is_running());
  sampler->sync();
  sampler->stop();
  EXPECT_EQ(all(*sampler).size(), 1U);
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"source_ended"});
}

TEST_F(PowerSamplerTest, WindowsThatAreNoneAreRefusedAndCounted) {
  const auto sampler = started();
  sensors_[0]->mode = Mode::lying;
  clock_.advance(1ms);
  sampler->stop();
  EXPECT_TRUE(all(*sampler).empty());
  EXPECT_GE(sampler->now().energy_since_start.value(), 0);
  const auto warnings = sampler->warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, "invalid_windows");
  EXPECT_THAT(warnings[0].message, HasSubstr("2 windows"));
}

TEST_F(PowerSamplerTest, OneOfSeveralThatDoesNotStartIsAWarning) {
  add("one", {"package-0"});
  add("other", {"gpu-0"});
  sensors_[0]->starts = false;
  const auto sampler = started();
  clock_.advance(1ms);
  sampler->stop();
  EXPECT_EQ(sensors_[0]->polls, 0);
  EXPECT_EQ(all(*sampler).size(), 1U);
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_not_started"});
}

TEST_F(PowerSamplerTest, WhereNoneStartsTheErrorIsTheSources) {
  add("fake", {"cpu"});
  const auto sampler = make();
  sensors_[0]->starts = false;
  const auto result = sampler->start(10ms);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::permission_denied);
  EXPECT_EQ(result.error().hint, "chmod it");
  EXPECT_FALSE(sampler->is_running());
  sensors_[0]->mode = Mode::throwing;
  const auto thrown = sampler->start(10ms);
  ASSERT_FALSE(thrown);
  EXPECT_THAT(thrown.error().message, HasSubstr("no luck"));
  // It can be tried again.
  sensors_[0]->mode = Mode::steady;
  sensors_[0]->starts = true;
  EXPECT_TRUE(sampler->start(10ms));
  sampler->stop();
}

TEST_F(PowerSamplerTest, ASensorThatHangsKeepsNobodyForLong) {
  add("stuck", {"cpu"});
  const auto sampler = started({.answer = kShort});
  sensors_[0]->mode = Mode::hanging;
  const auto begin = std::chrono::steady_clock::now();
  sampler->sync();  // gives up after a while
  sampler->sync();  // knows by then that it need not wait again
  EXPECT_TRUE(all(*sampler).empty());
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_stalled"});
  EXPECT_THAT(sampler->warnings()[0].message, HasSubstr("stuck"));
  sampler->stop();
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, kShort);
  EXPECT_FALSE(sampler->is_running());

  const auto again = sampler->start(10ms);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::unavailable);
  sensors_[0]->release();
  // Once the thread has come back and ended, all is well again.
  sensors_[0]->mode = Mode::steady;
  EXPECT_TRUE(eventually([&] { return sampler->start(10ms).has_value(); }));
  clock_.advance(1ms);
  sampler->stop();
  EXPECT_EQ(all(*sampler).size(), 1U);
}

TEST_F(PowerSamplerTest, ARecordingThatHangsKeepsNobodyAndIsToldAtTheEnd) {
  const testing::TempDir dir;
  const auto path = dir.path() / "power.jsonl";
  const testing::Fifo fifo(path);
  add("one", {"package-0"});
  add("other", {"gpu-0"});
  auto sampler = started({.answer = kShort});
  auto recorder = WindowRecorder::open(path);
  ASSERT_TRUE(recorder) << recorder.error().message;
  ASSERT_TRUE(sampler->record_to(*std::move(recorder)));
  constexpr std::size_t kReadings = 1000;  // lines of both: twice what a pipe holds
  for (std::size_t reading = 0; reading < kReadings; ++reading) {
    clock_.advance(1ms);
    sampler->sync();
  }
  EXPECT_EQ(all(*sampler).size(), 2 * kReadings);
  EXPECT_TRUE(codes(*sampler).empty()) << "it may still be read";
  sampler->stop();
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"recording_failed"});
  EXPECT_THAT(sampler->warnings()[0].message, HasSubstr(path.string()));
  // The sensors have nothing to do with it.
  EXPECT_TRUE(sampler->start(10ms));
  sampler->stop();
  EXPECT_TRUE(codes(*sampler).empty());
  sampler.reset();
  fifo.read_to_end();
}

TEST_F(PowerSamplerTest, AThreadThatIsLeftBehindKeepsWhatItNeeds) {
  add("stuck", {"cpu"});
  const auto sensor = sensors_[0];
  {
    auto sampler = started({.answer = kShort});
    sensor->mode = Mode::hanging;
    std::thread waiting([&] { sampler->sync(); });
    sensor->wait_until_it_hangs();
    sampler->stop();
    waiting.join();
    sampler.reset();
  }
  sensor->release();
  sensor->wait_until_destroyed();  // by the thread, which was the last to need it
}

TEST_F(PowerSamplerTest, ASensorThatHangsWhileItStartsIsNamed) {
  add("stuck", {"cpu"});
  const auto sensor = sensors_[0];
  sensor->mode = Mode::hanging;
  {
    const auto sampler = make({.start = kShort});
    const auto result = sampler->start(10ms);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::unavailable);
    EXPECT_THAT(result.error().message, HasSubstr("stuck did not start within 0.1 s"));
    EXPECT_FALSE(sampler->is_running());
    sampler->stop();
  }
  sensor->release();
  sensor->wait_until_destroyed();
  EXPECT_EQ(sensor->polls, 0);
}

TEST_F(PowerSamplerTest, EachSourceIsPolledAtItsOwnPace) {
  add("slow", {"gpu-0"}).shortest = 100ms;
  add("quick", {"package-0"}).shortest = 1ms;  // polled after the slow one in each round
  const auto sampler = started();
  clock_.advance(50ms);
  EXPECT_TRUE(eventually([&] { return sensors_[1]->polls > 0; }));
  EXPECT_EQ(sensors_[0]->polls, 0);
  clock_.advance(50ms);
  EXPECT_TRUE(eventually([&] { return sensors_[0]->polls > 0; }));
  sampler->stop();
  EXPECT_EQ(sensors_[0]->polls, 2);  // when it was due, and at the end
}

TEST_F(PowerSamplerTest, ACounterIsReadBeforeItCouldGoAroundTwice) {
  add("counter", {"package-0"}).longest = 5ms;
  const auto sampler = make();
  ASSERT_TRUE(sampler->start(1h));
  clock_.advance(5ms);
  EXPECT_TRUE(eventually([&] { return sensors_[0]->polls > 0; }));
  sampler->stop();
}

// ---- sources that disturb no other -------------------------------------------------------------

TEST_F(PowerSamplerTest, ASensorThatHangsDelaysNoOther) {
  add("stuck", {"gpu-0"});
  add("quick", {"package-0"});
  const auto sampler = started({.answer = kShort});
  sensors_[0]->mode = Mode::hanging;
  clock_.advance(10ms);
  sensors_[0]->wait_until_it_hangs();
  const int before = sensors_[1]->polls;
  for (int step = 1; step <= 3; ++step) {
    clock_.advance(10ms);
    EXPECT_TRUE(eventually([&] { return sensors_[1]->polls >= before + step; }));
  }
  sampler->sync();  // of the other at least
  const auto windows = all(*sampler);
  EXPECT_EQ(windows.back().end, clock_.now());
  EXPECT_TRUE(std::ranges::all_of(windows, [](const auto& each) { return each.domain == 1; }));
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_stalled"});

  // Its driver lets go: what it then says covers the time, and it goes on.
  sensors_[0]->mode = Mode::steady;
  sensors_[0]->release();
  EXPECT_TRUE(eventually([&] { return sensors_[0]->polls > 0; }));
  clock_.advance(10ms);
  sampler->stop();
  EXPECT_FALSE(sampler->is_running());
  Nanoseconds covered{0};
  for (const EnergyWindow& window : all(*sampler)) {
    covered += window.domain == 0 ? window.duration() : 0ns;
  }
  EXPECT_EQ(covered, 50ms);
}

TEST_F(PowerSamplerTest, OneOfSeveralThatHangsWhileItStartsComesLater) {
  add("stuck", {"gpu-0"});
  add("quick", {"package-0"});
  sensors_[0]->mode = Mode::hanging;
  const auto sampler = started({.start = kShort});
  EXPECT_TRUE(sampler->is_running());
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_not_started"});
  EXPECT_THAT(sampler->warnings()[0].message, HasSubstr("stuck did not start within 0.1 s"));
  clock_.advance(3s);
  sensors_[0]->mode = Mode::steady;
  sensors_[0]->release();
  EXPECT_TRUE(
      eventually([&] { return codes(*sampler) == std::vector<std::string>{"sensor_restarted"}; }));
  clock_.advance(10ms);
  sampler->stop();
  EXPECT_EQ(std::ranges::count(all(*sampler), 0, &EnergyWindow::domain), 1);
}

TEST_F(PowerSamplerTest, WhatIsLeftBehindKeepsNoOtherFromStartingAgain) {
  add("stuck", {"gpu-0"});
  add("quick", {"package-0"});
  const auto sampler = started({.answer = kShort});
  sensors_[0]->mode = Mode::hanging;
  clock_.advance(10ms);
  sensors_[0]->wait_until_it_hangs();
  sampler->stop();
  ASSERT_TRUE(sampler->start(10ms));
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_not_started"});
  clock_.advance(10ms);
  sampler->stop();
  EXPECT_EQ(all(*sampler).size(), 1U);

  sensors_[0]->mode = Mode::steady;
  sensors_[0]->release();
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(sampler->start(10ms));
    const bool whole = sampler->warnings().empty();
    sampler->stop();
    return whole;
  }));
}

// ---- sources that come late, or again ----------------------------------------------------------

TEST_F(PowerSamplerTest, ASourceThatIsLostIsTriedAgainAndTheTimeBetweenIsAGap) {
  const auto sampler = started();
  const Instant start = clock_.now();
  clock_.advance(10ms);
  sampler->sync();
  sensors_[0]->mode = Mode::gone;
  clock_.advance(10ms);
  sampler->sync();
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_gone"});
  sensors_[0]->mode = Mode::steady;
  clock_.advance(990ms);
  sampler->sync();
  EXPECT_EQ(sensors_[0]->attempts, 1) << "not before a second has passed";
  clock_.advance(10ms);
  sampler->sync();
  EXPECT_EQ(sensors_[0]->attempts, 2);
  clock_.advance(10ms);
  sampler->sync();
  const auto windows = all(*sampler);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].end, start + 10ms);
  EXPECT_EQ(windows[1].begin, start + 1020ms);
  EXPECT_DOUBLE_EQ(sampler->now().energy_since_start.value(), 1.0);
  const auto warnings = sampler->warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, "sensor_restarted");
  EXPECT_THAT(warnings[0].message, HasSubstr("1 s are a gap"));
  EXPECT_THAT(warnings[0].message, HasSubstr("was unplugged"));
  EXPECT_TRUE(sampler->warnings(clock_.now()).empty()) << "that is over";
  sampler->stop();
}

TEST_F(PowerSamplerTest, ASourceThatAppearsLateIsReadFromThenOn) {
  add("late", {"gpu-0"});
  add("other", {"package-0"});
  sensors_[0]->starts = false;
  const auto sampler = started();
  clock_.advance(1s);
  sampler->sync();
  EXPECT_EQ(sensors_[0]->attempts, 2);
  sensors_[0]->starts = true;
  clock_.advance(2s);
  sampler->sync();
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_restarted"});
  const Instant there = clock_.now();
  clock_.advance(10ms);
  sampler->stop();
  const auto windows = all(*sampler);
  const auto of_it = std::ranges::find(windows, 0, &EnergyWindow::domain);
  ASSERT_NE(of_it, windows.end());
  EXPECT_EQ(of_it->begin, there);
}

TEST_F(PowerSamplerTest, ItIsTriedEverMoreRarelyUpToAMinute) {
  add("never", {"gpu-0"});
  add("other", {"package-0"});
  sensors_[0]->starts = false;
  const auto sampler = started();
  std::vector<int> seconds;
  for (int second = 1; second <= 300; ++second) {
    clock_.advance(1s);
    const int before = sensors_[0]->attempts;
    sampler->sync();
    if (sensors_[0]->attempts > before) {
      seconds.push_back(second);
    }
  }
  EXPECT_EQ(seconds, (std::vector<int>{1, 3, 7, 15, 31, 63, 123, 183, 243}));
  sampler->stop();
}

TEST_F(PowerSamplerTest, WhatEndedOnPurposeIsNotTriedAgain) {
  const auto sampler = started();
  sensors_[0]->mode = Mode::stopped;
  sampler->sync();
  clock_.advance(1h);
  sampler->sync();
  EXPECT_EQ(sensors_[0]->attempts, 1);
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
  add("other", {"gpu-0"}).shortest = 1h;  // read when it is asked for, and at no other time
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
  EXPECT_EQ(readings[0].domain, 2) << "in the list of all sources' domains";
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
  EXPECT_EQ(sampler->warnings(clock_.now()).size(), 1U) << "it is still gone";
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
