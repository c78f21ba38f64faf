#include "power/counter/step_lock.hpp"

#include "support/stepping_counter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::SteppingCounter;

constexpr Nanoseconds kPeriod{976'562};

class StepLockTest : public ::testing::Test {
 protected:
  [[nodiscard]] StepLock lock(Nanoseconds expected = kPeriod, double share = 1) const {
    return {{.period = expected, .spin_share = share}, machine_.clock(), machine_.sleeper()};
  }
  /// Errors of the stamps of a number of locked readings, 10 ms apart.
  std::vector<double> errors(StepLock& lock, int readings) {
    std::vector<double> result;
    for (int reading = 0; reading < readings; ++reading) {
      machine_.pass(9ms);
      const auto read = lock.read(machine_);
      EXPECT_TRUE(read.value);
      if (read.locked) {
        result.push_back(std::abs(to_ms(read.at - machine_.stepped_at(*read.value)) * 1e3));
        EXPECT_LE(read.at, read.seen);
      }
    }
    std::ranges::sort(result);
    return result;
  }

  SteppingCounter machine_{kPeriod};
};

TEST_F(StepLockTest, StampsAValueWhenItCameToBe) {
  StepLock locked = lock();
  const auto microseconds = errors(locked, 300);
  ASSERT_EQ(microseconds.size(), 300U);
  EXPECT_LT(microseconds.back(), 2.0);  // a read takes 1 µs
  EXPECT_TRUE(locked.is_locked());
  EXPECT_LT(locked.stamp_error(), 1us);
  EXPECT_GT(locked.stamp_error(), 100ns);
}

TEST_F(StepLockTest, LearnsThePeriodAndHowExactItIs) {
  SteppingCounter slower{1'050us};  // not exactly the expected period
  StepLock locked{{.period = kPeriod, .spin_share = 1}, slower.clock(), slower.sleeper()};
  ASSERT_TRUE(locked.learn(slower));
  EXPECT_NEAR(to_ms(locked.period()), 1.05, 0.002);
  EXPECT_LT(locked.stamp_error(), 1us);
  const Instant before = slower.clock().now();
  ASSERT_TRUE(locked.learn(slower, 8));
  EXPECT_LT(slower.clock().now() - before, 10 * 1'050us);
}

TEST_F(StepLockTest, MostOfTheWaitingIsSleep) {
  StepLock locked = lock();
  machine_.wake_late(20us, 60us);
  static_cast<void>(errors(locked, 1000));
  const Nanoseconds polled = locked.counts().polled;
  EXPECT_GT(locked.counts().locked, 950U);
  // Polling all the time would take 0.98 ms per reading; this is about the length of the guard.
  EXPECT_LT(polled / 1000, 100us);
}

TEST_F(StepLockTest, WhoIsWokenForAStepMeetsItWithoutAnotherSleep) {
  StepLock locked = lock();
  ASSERT_EQ(errors(locked, 20).size(), 20U);
  for (int reading = 0; reading < 100; ++reading) {
    const Instant due = machine_.clock().now() + 9ms;
    const Instant wake = locked.wake_for(due);
    EXPECT_GE(wake, due - 100us);
    EXPECT_LT(wake, due + 2 * kPeriod);
    machine_.pass(wake + 20us - machine_.clock().now());  // late, as wake-ups are
    const Instant woke = machine_.clock().now();
    const auto read = locked.read(machine_);
    ASSERT_TRUE(read.locked);
    EXPECT_LT(read.at - woke, 300us) << "it is the step that was promised";
    EXPECT_LT(std::abs(to_ms(read.at - machine_.stepped_at(*read.value))), 2e-3);
  }
}

TEST_F(StepLockTest, WhoIsWokenTooLateMeetsTheNextStep) {
  StepLock locked = lock();
  ASSERT_EQ(errors(locked, 20).size(), 20U);
  const Instant wake = locked.wake_for(machine_.clock().now() + 9ms);
  machine_.pass(wake + kPeriod / 2 - machine_.clock().now());
  const auto read = locked.read(machine_);
  EXPECT_TRUE(read.locked);
  EXPECT_GT(read.at, wake + kPeriod / 2);
  EXPECT_LT(std::abs(to_ms(read.at - machine_.stepped_at(*read.value))), 2e-3);
}

TEST_F(StepLockTest, WhoReadsBeforeTheTimeThatHeWasToldMeetsTheNextStep) {
  StepLock locked = lock();
  ASSERT_EQ(errors(locked, 20).size(), 20U);
  static_cast<void>(locked.wake_for(machine_.clock().now() + 9ms));
  const Instant asked = machine_.clock().now();
  const auto read = locked.read(machine_);
  EXPECT_TRUE(read.locked);
  EXPECT_LT(read.at - asked, 2 * kPeriod);
}

TEST_F(StepLockTest, WithoutALockNobodyIsKeptWaiting) {
  StepLock locked = lock();
  EXPECT_EQ(locked.wake_for(Instant{} + 5s), Instant{} + 5s);
}

TEST_F(StepLockTest, AWakeUpThatComesTooLateCostsAPeriodAndNotAnUnknownStamp) {
  StepLock locked = lock();
  machine_.wake_late(0us, 400us);
  const auto microseconds = errors(locked, 500);
  EXPECT_GT(microseconds.size(), 400U);
  EXPECT_LT(microseconds.back(), 2.0);
  EXPECT_GT(locked.counts().late_wakes, 0U);
}

TEST_F(StepLockTest, JitterOfTheStepsIsFollowed) {
  machine_.jitter(15us);
  StepLock locked = lock();
  const auto microseconds = errors(locked, 500);
  EXPECT_GT(microseconds.size(), 450U);
  EXPECT_LT(microseconds.back(), 2.0);
}

TEST_F(StepLockTest, ADriftOfThePeriodIsFollowed) {
  StepLock locked = lock();
  static_cast<void>(errors(locked, 100));
  for (int change = 0; change < 20; ++change) {
    machine_.set_period(machine_.period() + 1us);
    EXPECT_GT(errors(locked, 50).size(), 40U);
  }
  EXPECT_NEAR(to_ms(locked.period()), to_ms(machine_.period()), 0.003);
}

TEST_F(StepLockTest, APeriodThatWasLearnedWronglyIsLearnedAnew) {
  StepLock locked = lock();
  machine_.set_period(1'700us);
  machine_.pass(10ms);
  ASSERT_TRUE(locked.learn(machine_));
  EXPECT_NEAR(to_ms(locked.period()), 1.7, 0.01);
  machine_.set_period(kPeriod);
  machine_.pass(10ms);
  for (int change = 0; change < 20; ++change) {  // so that no other period fits
    static_cast<void>(errors(locked, 5));
    machine_.pass(change * 1'300us);
  }
  const auto microseconds = errors(locked, 100);
  EXPECT_GT(microseconds.size(), 90U);
  EXPECT_LT(microseconds.back(), 2.0);
  EXPECT_NEAR(to_ms(locked.period()), to_ms(kPeriod), 0.01);
}

TEST_F(StepLockTest, AStallIsReadAsItIsAndTheLockComesBack) {
  StepLock locked = lock();
  static_cast<void>(errors(locked, 20));
  machine_.stall(true);
  const std::uint64_t before = locked.counts().unlocked;
  EXPECT_TRUE(errors(locked, 20).empty());
  EXPECT_EQ(locked.counts().unlocked - before, 20U);
  machine_.stall(false);
  machine_.pass(3700us);
  const auto microseconds = errors(locked, 20);
  EXPECT_GE(microseconds.size(), 11U);  // eight readings pass between two searches
  EXPECT_LT(microseconds.back(), 2.0);
}

TEST_F(StepLockTest, AReadingEndsWithinAFewSteps) {
  StepLock locked = lock();
  ASSERT_TRUE(locked.learn(machine_));
  machine_.wake_late(0us, 900us);
  for (int reading = 0; reading < 300; ++reading) {
    machine_.stall(reading % 7 == 0);
    machine_.pass(5ms);
    const Instant before = machine_.clock().now();
    static_cast<void>(locked.read(machine_));
    EXPECT_LT(machine_.clock().now() - before, 6 * kPeriod + 900us);
  }
}

TEST_F(StepLockTest, PollingIsBounded) {
  machine_.stall(true);  // each reading would poll without success
  StepLock locked = lock(kPeriod, 0.02);
  const Instant begin = machine_.clock().now();
  static_cast<void>(errors(locked, 1000));
  const Nanoseconds took = machine_.clock().now() - begin;
  EXPECT_LT(locked.counts().polled, 0.02 * took + StepLock::kLongestSpin + 3 * kPeriod);
}

TEST_F(StepLockTest, ALongPeriodIsSleptThroughEvenWhenSearching) {
  SteppingCounter slow{50ms};
  slow.set_read_time(20us);
  StepLock locked{{.period = 40ms, .spin_share = 0.5}, slow.clock(), slow.sleeper()};
  double last = 0;
  for (int reading = 0; reading < 12; ++reading) {
    const auto read = locked.read(slow);
    ASSERT_TRUE(read.locked) << reading;
    last = std::abs(to_ms(read.at - slow.stepped_at(*read.value)));
    slow.pass(3ms);
  }
  EXPECT_LT(last, 0.2);
  EXPECT_LT(locked.counts().polled, 50ms);
}

TEST_F(StepLockTest, AFailedReadIsSaidAndTheNextMayDo) {
  StepLock locked = lock();
  static_cast<void>(errors(locked, 5));
  machine_.fail(true);
  machine_.pass(9ms);
  const auto failed = locked.read(machine_);
  ASSERT_FALSE(failed.value);
  EXPECT_EQ(failed.value.error().code, ErrorCode::io);
  machine_.fail(false);
  EXPECT_EQ(errors(locked, 5).size(), 5U);
  machine_.fail(true);
  EXPECT_FALSE(locked.learn(machine_));
}

TEST_F(StepLockTest, ACounterThatDoesNotStepCannotBeLearned) {
  machine_.stall(true);
  StepLock locked = lock();
  EXPECT_FALSE(locked.learn(machine_));
  EXPECT_FALSE(locked.is_locked());
  EXPECT_NEAR(to_ms(locked.stamp_error()), 0.976 / std::sqrt(12), 1e-3);
}

}  // namespace
}  // namespace enprof
