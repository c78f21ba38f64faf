// What happens to the other sources if one fails, throws, hangs, vanishes or comes late.
#include "support/fifo.hpp"
#include "support/power_sampler_fixture.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::FakeSensor;
using ::testing::HasSubstr;
using testing::PowerSamplerTest;
using testing::wait_until;
using Mode = FakeSensor::Mode;

constexpr Nanoseconds kShort = 100ms;

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
  EXPECT_EQ(sensors_[0]->polls, 1) << "a lost source is not polled";
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
  EXPECT_THAT(warnings[0].message, HasSubstr("windows or readings: 2."));
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
  // It can be started again.
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
  sampler->sync();  // does not wait again
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
  // When the thread has come back and ended, it works again.
  sensors_[0]->mode = Mode::steady;
  wait_until("the sampler starts", [&] { return sampler->start(10ms).has_value(); });
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
  ASSERT_TRUE(sampler->record_to(*std::move(recorder), sampler->domains()));
  constexpr std::size_t kReadings = 1000;  // lines of both: twice a pipe's size
  for (std::size_t reading = 0; reading < kReadings; ++reading) {
    clock_.advance(1ms);
    sampler->sync();
  }
  EXPECT_EQ(all(*sampler).size(), 2 * kReadings);
  EXPECT_TRUE(codes(*sampler).empty()) << "the pipe may still be read";
  sampler->stop();
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"recording_failed"});
  EXPECT_THAT(sampler->warnings()[0].message, HasSubstr(path.string()));
  // The sensors are not affected.
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

// ---- faults do not affect other sources ---------------------------------------------------------

TEST_F(PowerSamplerTest, ASensorThatHangsDelaysNoOther) {
  add("stuck", {"gpu-0"});
  add("quick", {"package-0"});
  const Instant begin = clock_.now();
  const auto sampler = started({.answer = kShort});
  clock_.settle();
  sensors_[0]->mode = Mode::hanging;
  clock_.pass_when_awaited(10ms);  // both are due: the first of them does not come back
  sensors_[0]->wait_until_it_hangs();
  for (int step = 1; step <= 3; ++step) {
    clock_.pass_when_awaited(10ms);
    wait_until("the other is polled", [&] { return sensors_[1]->polls == step; });
  }
  sampler->sync();  // at least of the other source
  const auto windows = all(*sampler);
  EXPECT_EQ(windows.back().end, clock_.now());
  EXPECT_TRUE(std::ranges::all_of(windows, [](const auto& each) { return each.domain == 1; }));
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_stalled"});

  // Its driver returns: its reading then covers that time, and it goes on.
  sensors_[0]->mode = Mode::steady;
  sensors_[0]->release();
  clock_.settle();
  EXPECT_EQ(sensors_[0]->polls, 2) << "and once more because of sync()";
  clock_.advance(10ms);
  sampler->stop();
  EXPECT_FALSE(sampler->is_running());
  Nanoseconds covered{0};
  for (const EnergyWindow& window : all(*sampler)) {
    covered += window.domain == 0 ? window.duration() : 0ns;
  }
  EXPECT_EQ(covered, clock_.now() - begin);
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
  clock_.settle();
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_restarted"});
  clock_.advance(10ms);
  sampler->stop();
  EXPECT_EQ(std::ranges::count(all(*sampler), 0, &EnergyWindow::domain), 1);
}

TEST_F(PowerSamplerTest, WhatIsLeftBehindKeepsNoOtherFromStartingAgain) {
  add("stuck", {"gpu-0"});
  add("quick", {"package-0"});
  const auto sampler = started({.answer = kShort});
  clock_.settle();
  sensors_[0]->mode = Mode::hanging;
  clock_.pass_when_awaited(10ms);
  sensors_[0]->wait_until_it_hangs();
  sampler->stop();
  ASSERT_TRUE(sampler->start(10ms));
  EXPECT_EQ(codes(*sampler), std::vector<std::string>{"sensor_not_started"});
  clock_.advance(10ms);
  sampler->stop();
  EXPECT_EQ(all(*sampler).size(), 1U);

  sensors_[0]->mode = Mode::steady;
  sensors_[0]->release();
  wait_until("both start", [&] {
    EXPECT_TRUE(sampler->start(10ms));
    const bool whole = sampler->warnings().empty();
    sampler->stop();
    return whole;
  });
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
  EXPECT_EQ(sensors_[0]->attempts, 1) << "not before one second has passed";
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
  EXPECT_TRUE(sampler->warnings(clock_.now()).empty()) << "that loss is over";
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

}  // namespace
}  // namespace enprof
