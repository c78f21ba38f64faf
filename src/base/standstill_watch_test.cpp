#include "base/standstill_watch.hpp"

#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace enprof {
namespace {

using namespace std::chrono_literals;

/// The watch's own thread checks too, but finds nothing more: the clock stands still between our
/// checks.
class StandstillWatchTest : public ::testing::Test {
 protected:
  void SetUp() override { watch_.start(); }
  void TearDown() override { watch_.stop(); }
  /// Lets time pass while the process uses so many CPUs.
  void pass(Nanoseconds time, double cpus) {
    cpu_ += static_cast<Nanoseconds::rep>(cpus * static_cast<double>(time.count()));
    clock_.advance(time);
    watch_.check();
  }
  void work(double cpus) {
    for (int beat = 0; beat < 10; ++beat) {
      pass(50ms, cpus);
    }
  }

  testing::ManualClock clock_;
  std::atomic<Nanoseconds::rep> cpu_{0};
  StandstillWatch watch_{clock_, [this] { return Nanoseconds{cpu_.load()}; }};
};

TEST_F(StandstillWatchTest, AProgramThatWasStoppedStoodStill) {
  work(4);
  const Instant stopped = clock_.now();
  pass(2s, 0.05);
  work(4);
  EXPECT_EQ(watch_.found(), (std::vector<Standstill>{{stopped, stopped + 2s}}));
}

TEST_F(StandstillWatchTest, WhatItDidUntilItWasStoppedIsNoSignOfLife) {
  work(16);
  pass(600ms, 16.0 * 50 / 600);  // it was stopped just before the next check
  EXPECT_EQ(watch_.found().size(), 1U);
}

TEST_F(StandstillWatchTest, SoDidOneThatOnlyWaited) {
  work(0);
  pass(1s, 0.01);
  pass(1s, 0.01);
  EXPECT_EQ(watch_.found().size(), 2U);
}

TEST_F(StandstillWatchTest, AWatchThatComesLateWhileOthersWorkIsNone) {
  work(2);
  pass(1s, 1.7);
  EXPECT_TRUE(watch_.found().empty());
}

TEST_F(StandstillWatchTest, AShortDelayIsNone) {
  work(2);
  pass(299ms, 0);
  EXPECT_TRUE(watch_.found().empty());
}

TEST_F(StandstillWatchTest, WhoAsksFindsOutBeforeTheThreadDoes) {
  work(2);
  clock_.advance(5s);
  EXPECT_EQ(watch_.found().size(), 1U);
}

TEST_F(StandstillWatchTest, WhatIsFoundIsBounded) {
  for (std::size_t round = 0; round < StandstillWatch::kMost + 10; ++round) {
    pass(1s, 0);
  }
  EXPECT_EQ(watch_.found().size(), StandstillWatch::kMost);
}

TEST_F(StandstillWatchTest, ANewStartForgets) {
  pass(1s, 0);
  watch_.start();
  EXPECT_TRUE(watch_.found().empty());
}

TEST(StandstillWatch, BeforeItIsStartedItFindsNothing) {
  testing::ManualClock clock;
  StandstillWatch watch(clock);
  watch.check();
  clock.advance(10s);
  EXPECT_TRUE(watch.found().empty());
}

TEST(TimeStoodStill, IsWhatLiesWithin) {
  const auto at = [](int second) { return Instant{std::chrono::seconds{second}}; };
  const std::vector<Standstill> standstills{{at(2), at(4)}, {at(6), at(7)}};
  EXPECT_EQ(time_stood_still(standstills, at(0), at(10)), 3s);
  EXPECT_EQ(time_stood_still(standstills, at(3), at(7)), 2s);
  EXPECT_EQ(time_stood_still(standstills, at(4), at(6)), 0s);
  EXPECT_EQ(time_stood_still({}, at(0), at(10)), 0s);
}

TEST(ProcessCpuTime, GrowsWithWork) {
  const Nanoseconds before = process_cpu_time();
  while (process_cpu_time() == before) {
  }
  EXPECT_GT(process_cpu_time(), before);
}

}  // namespace
}  // namespace enprof
