#include "power/counter/energy_counter.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using Outcome = EnergyCounter::Outcome;

constexpr std::uint64_t kRange = 262'143'328'850;  // µJ, as on most machines
constexpr Instant kStart{1h};
constexpr CounterTraits kTraits{.range = kRange, .limit = Watts{2000}};

class EnergyCounterTest : public ::testing::Test {
 protected:
  /// Lets a counter step every 10 ms at a power; returns the instant of the last step.
  Instant run(EnergyCounter& counter, double watts, Nanoseconds duration) {
    const Instant end = at_ + duration;
    while (at_ < end) {
      at_ += 10ms;
      value_ += static_cast<std::uint64_t>(watts * 1e4);
      const auto range = counter.traits().range;
      value_ = range == 0 ? value_ : value_ % range;
      last_ = counter.read(value_, at_);
    }
    return at_;
  }

  EnergyCounter counter_{kTraits};
  std::uint64_t value_ = 1'000'000;
  Instant at_ = kStart;
  EnergyCounter::Change last_;
};

TEST_F(EnergyCounterTest, TheFirstReadingSaysNothing) {
  EXPECT_FALSE(counter_.last_step());
  EXPECT_EQ(counter_.read(123, kStart).outcome, Outcome::first);
  EXPECT_EQ(counter_.last_step(), kStart);
}

TEST_F(EnergyCounterTest, AStepIsTheDifference) {
  counter_.read(1'000'000, kStart);
  const auto change = counter_.read(1'500'000, kStart + 10ms);
  EXPECT_EQ(change.outcome, Outcome::step);
  EXPECT_EQ(change.begin, kStart);
  EXPECT_EQ(change.end, kStart + 10ms);
  EXPECT_DOUBLE_EQ(change.energy.value().value(), 0.5);
}

TEST_F(EnergyCounterTest, AWindowEndsAtAStepAndBeginsAtTheOneBefore) {
  counter_.read(1'000'000, kStart);
  EXPECT_EQ(counter_.read(1'000'000, kStart + 10ms).outcome, Outcome::unchanged);
  EXPECT_EQ(counter_.read(1'000'000, kStart + 20ms).outcome, Outcome::unchanged);
  const auto change = counter_.read(1'600'000, kStart + 30ms);
  EXPECT_EQ(change.outcome, Outcome::step);
  EXPECT_EQ(change.begin, kStart);
  EXPECT_DOUBLE_EQ(change.energy.value().value(), 0.6);
}

TEST_F(EnergyCounterTest, AStepIsStampedWhenItCameToBeAndNotWhenItWasRead) {
  counter_.read(1'000'000, kStart, kStart + 20us);
  const auto change = counter_.read(1'500'000, kStart + 9ms, kStart + 10ms);
  EXPECT_EQ(change.begin, kStart);
  EXPECT_EQ(change.end, kStart + 9ms);
  EXPECT_EQ(counter_.last_step(), kStart + 9ms);
}

TEST_F(EnergyCounterTest, AnotherUnitIsAnotherEnergy) {
  EnergyCounter counter{{.unit = Joules{1e-3}, .limit = Watts{1000}}};
  counter.read(5'000, kStart);
  EXPECT_DOUBLE_EQ(counter.read(5'700, kStart + 1s).energy.value().value(), 0.7);
}

TEST_F(EnergyCounterTest, AWrapAddsTheRangeOnce) {
  counter_.read(kRange - 300'000, kStart);
  const auto change = counter_.read(200'000, kStart + 10ms);
  EXPECT_EQ(change.outcome, Outcome::wrap);
  EXPECT_EQ(change.wraps, 1U);
  EXPECT_DOUBLE_EQ(change.energy.value().value(), 0.5);
}

/// A range of 100 J, so that two wraps do not take minutes.
constexpr CounterTraits kSmall{.range = 100'000'000, .limit = Watts{2000}};

TEST_F(EnergyCounterTest, SeveralWrapsAreCountedWhereOnlyOneNumberFitsWhatWasSeen) {
  EnergyCounter counter{kSmall};
  run(counter, 200, 6s);
  at_ += 1200ms;  // 240 J: two wraps, and 40 J. Other numbers: 33, 117 or 283 W
  value_ = (value_ + 240'000'000) % kSmall.range;
  const auto change = counter.read(value_, at_);
  EXPECT_EQ(change.outcome, Outcome::wrap);
  EXPECT_GE(change.wraps, 2U);
  EXPECT_NEAR(change.energy.value().value(), 240, 1e-6);
}

TEST_F(EnergyCounterTest, NoWrapIsANumberToo) {
  EnergyCounter counter{kSmall};
  value_ = 0;
  run(counter, 1, 3s);
  at_ += 2s;  // 2 J; with a wrap, 51 W or more
  value_ += 2'000'000;
  const auto change = counter.read(value_, at_);
  EXPECT_EQ(change.outcome, Outcome::step);
  EXPECT_NEAR(change.energy.value().value(), 2, 1e-6);
}

TEST_F(EnergyCounterTest, SeveralNumbersOfWrapsThatFitAreAGap) {
  EnergyCounter counter{kSmall};
  run(counter, 200, 3s);
  run(counter, 120, 3s);  // it draws 200 W, then 120 W
  at_ += 1200ms;
  value_ = (value_ + 240'000'000) % kSmall.range;  // 200 W, or 117 W
  const auto change = counter.read(value_, at_);
  EXPECT_EQ(change.outcome, Outcome::lapsed);
  EXPECT_FALSE(change.energy);
}

TEST_F(EnergyCounterTest, WhatWasNotWatchedForAsLongTellsNothing) {
  EnergyCounter counter{kSmall};
  run(counter, 200, 3s);
  at_ += 3600ms;
  value_ = (value_ + 720'000'000) % kSmall.range;
  EXPECT_EQ(counter.read(value_, at_).outcome, Outcome::lapsed);
}

TEST_F(EnergyCounterTest, AResetIsNotAWrap) {
  counter_.read(100'000'000'000, kStart);
  const auto reset = counter_.read(5'000'000, kStart + 10ms);
  EXPECT_EQ(reset.outcome, Outcome::reset);
  EXPECT_FALSE(reset.energy);
  // It continues from there.
  const auto change = counter_.read(5'400'000, kStart + 20ms);
  EXPECT_EQ(change.outcome, Outcome::step);
  EXPECT_EQ(change.begin, kStart + 10ms);
  EXPECT_DOUBLE_EQ(change.energy.value().value(), 0.4);
}

TEST_F(EnergyCounterTest, AJumpBeyondTheLimitIsImpossible) {
  counter_.read(0, kStart);
  EXPECT_EQ(counter_.read(61'000'000, kStart + 10ms).outcome, Outcome::jump);  // 6.1 kW
  counter_.forget();
  counter_.read(0, kStart);
  EXPECT_EQ(counter_.read(59'000'000, kStart + 10ms).outcome, Outcome::step);  // 2 kW × 30 ms
}

TEST_F(EnergyCounterTest, AFailedReadOfZeroIsNoWrapAndWhatFollowsIsNotTheWholeCounter) {
  counter_.read(200'000'000'000, kStart);
  EXPECT_EQ(counter_.read(0, kStart + 10ms).outcome, Outcome::reset);
  EXPECT_EQ(counter_.read(200'001'200'000, kStart + 20ms).outcome, Outcome::jump);
  EXPECT_EQ(counter_.read(200'001'800'000, kStart + 30ms).outcome, Outcome::step);
}

TEST_F(EnergyCounterTest, AShortWindowMayHoldAWholeStep) {
  counter_.read(0, kStart);
  // One step of 1 ms at 500 W, seen 10 µs after the previous reading.
  EXPECT_EQ(counter_.read(500'000, kStart + 10us).outcome, Outcome::step);
}

TEST_F(EnergyCounterTest, AFailedReadingIsBridgedWhileOneWrapAtMostIsPossible) {
  counter_.read(kRange - 50'000'000, kStart);
  counter_.failed();
  const auto bridged = counter_.read(50'000'000, kStart + 2s);  // nothing was read for two seconds
  EXPECT_EQ(bridged.outcome, Outcome::wrap);
  EXPECT_EQ(bridged.begin, kStart);
  EXPECT_DOUBLE_EQ(bridged.energy.value().value(), 100.0);
  EXPECT_EQ(counter_.count_of(Outcome::failed), 1U);
}

TEST_F(EnergyCounterTest, TooLongAGapIsUnknownWhateverTheValueSays) {
  EXPECT_NEAR(seconds(counter_.longest_gap()), 131.07, 0.01);
  counter_.read(1'000'000, kStart);
  EXPECT_EQ(counter_.read(2'000'000, kStart + 132s).outcome, Outcome::lapsed);
  EXPECT_EQ(counter_.read(2'000'000, kStart + 300s).outcome, Outcome::lapsed);
  EXPECT_EQ(counter_.read(3'000'000, kStart + 301s).outcome, Outcome::step);
}

TEST_F(EnergyCounterTest, WhatMayDrawNothingStandsStillForAnyTime) {
  counter_.read(1'000'000, kStart);
  for (auto at = 60s; at <= 600s; at += 60s) {
    EXPECT_EQ(counter_.read(1'000'000, kStart + at).outcome, Outcome::unchanged);
  }
  const auto change = counter_.read(1'100'000, kStart + 610s);
  EXPECT_EQ(change.outcome, Outcome::step);
  EXPECT_EQ(change.begin, kStart);
  // But a step right after a standstill must have been drawn since the last reading.
  counter_.read(1'100'000, kStart + 700s);
  EXPECT_EQ(counter_.read(100'000'000, kStart + 700s + 10ms).outcome, Outcome::jump);
}

class StallingCounterTest : public EnergyCounterTest {
 protected:
  void SetUp() override {
    run(counter_, 50, 1s);
    ASSERT_EQ(last_.outcome, Outcome::step);
    stall_ = at_;
    for (int reading = 0; reading < 100; ++reading) {
      at_ += 10ms;
      const auto change = counter_.read(value_, at_);
      EXPECT_EQ(change.outcome, reading == 19 ? Outcome::stall : Outcome::unchanged) << reading;
      EXPECT_FALSE(change.energy);
    }
    EXPECT_TRUE(counter_.stalls());
    at_ += 10ms;
  }
  CounterTraits traits_{.range = kRange, .limit = Watts{2000}, .stall_after = 200ms};
  Instant stall_;

  StallingCounterTest() { counter_ = EnergyCounter(traits_); }
};

TEST_F(StallingCounterTest, WhatItCountedMeanwhileIsOneWindow) {
  const auto change = counter_.read(value_ + 60'000'000, at_);  // more than 2 kW × 30 ms
  EXPECT_EQ(change.outcome, Outcome::resumed);
  EXPECT_EQ(change.begin, stall_);
  EXPECT_DOUBLE_EQ(change.energy.value().value(), 60);
  EXPECT_FALSE(counter_.stalls());
  EXPECT_EQ(counter_.count_of(Outcome::stall), 1U);
}

TEST_F(StallingCounterTest, WhereItSeemsNotToHaveCountedTheTimeIsAGap) {
  const auto change = counter_.read(value_ + 500'000, at_);
  EXPECT_EQ(change.outcome, Outcome::stopped);
  EXPECT_EQ(change.begin, stall_);
  EXPECT_FALSE(change.energy);
  const auto next = counter_.read(value_ + 1'000'000, at_ + 10ms);
  EXPECT_EQ(next.outcome, Outcome::step);
  EXPECT_EQ(next.begin, at_);
}

TEST_F(StallingCounterTest, NotMoreThanTheDomainCanDrawMeanwhile) {
  EXPECT_EQ(counter_.read(value_ + 2'500'000'000, at_).outcome, Outcome::jump);
}

TEST_F(StallingCounterTest, AResetEndsItToo) {
  EXPECT_EQ(counter_.read(7, at_).outcome, Outcome::reset);
  EXPECT_FALSE(counter_.stalls());
}

TEST_F(EnergyCounterTest, AMachineThatSleptHasResetItsCounters) {
  counter_.read(1'000'000, kStart);
  counter_.slept();
  const auto change = counter_.read(1'500'000, kStart + 10ms);  // it may have started at zero
  EXPECT_EQ(change.outcome, Outcome::reset);
  EXPECT_FALSE(change.energy);
  EXPECT_EQ(counter_.read(2'000'000, kStart + 20ms).outcome, Outcome::step);
}

TEST_F(EnergyCounterTest, SixtyFourBitsDoNotWrap) {
  EnergyCounter counter{{.unit = Joules{0x1p-32}, .limit = Watts{2000}}};
  EXPECT_EQ(counter.longest_gap(), Nanoseconds::max());
  constexpr std::uint64_t kJoule = std::uint64_t{1} << 32U;
  counter.read(UINT64_MAX - 5 * kJoule, kStart);
  EXPECT_EQ(counter.read(UINT64_MAX - 4 * kJoule, kStart + 10ms).outcome, Outcome::step);
  EXPECT_EQ(counter.read(3 * kJoule, kStart + 20ms).outcome, Outcome::reset);
  const auto change = counter.read(4 * kJoule, kStart + 30ms);
  EXPECT_EQ(change.outcome, Outcome::step);
  EXPECT_DOUBLE_EQ(change.energy.value().value(), 1);
  // An hour without a reading changes nothing.
  EXPECT_EQ(counter.read(360'000 * kJoule, kStart + 1h).outcome, Outcome::step);
}

TEST_F(EnergyCounterTest, WhatLiesBelowMayReachLessFar) {
  EnergyCounter counter{{.limit = Watts{2000}, .reach = Joules{32'768}}};
  EXPECT_NEAR(seconds(counter.longest_gap()), 16.384, 1e-6);
  counter.read(0, kStart);
  EXPECT_EQ(counter.read(5'000'000, kStart + 16s).outcome, Outcome::step);
  EXPECT_EQ(counter.read(9'000'000, kStart + 33s).outcome, Outcome::lapsed);
}

TEST_F(EnergyCounterTest, AValueBeyondTheRangeIsNeverAnEnergy) {
  counter_.read(kRange + 5, kStart);
  const auto change = counter_.read(3, kStart + 10ms);
  EXPECT_EQ(change.outcome, Outcome::jump);
  EXPECT_FALSE(change.energy);
}

TEST_F(EnergyCounterTest, AStepAtTheSameInstantIsLeftForTheNextReading) {
  counter_.read(1'000'000, kStart);
  EXPECT_EQ(counter_.read(1'200'000, kStart).outcome, Outcome::unchanged);
  const auto change = counter_.read(1'300'000, kStart + 1ms);
  EXPECT_EQ(change.outcome, Outcome::step);
  EXPECT_DOUBLE_EQ(change.energy.value().value(), 0.3);
}

TEST_F(EnergyCounterTest, NothingButAStepHasAnEnergyAndNoneIsZeroOrLess) {
  // For any values, in any order and at any distance.
  EnergyCounter counter{{.range = 1000, .limit = Watts{0.01}, .stall_after = 50ms}};
  std::uint64_t state = 12345;
  const auto random = [&](std::uint64_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33U) % bound;
  };
  Instant at = kStart;
  for (int reading = 0; reading < 100'000; ++reading) {
    at += Nanoseconds{random(3) == 0 ? random(2'000'000'000) : random(20'000'000)};
    if (random(100) == 0) {
      counter.slept();
    }
    const auto change = counter.read(random(20) == 0 ? random(1200) : random(5), at);
    const bool known = change.outcome == Outcome::step || change.outcome == Outcome::wrap ||
                       change.outcome == Outcome::resumed;
    ASSERT_EQ(change.energy.has_value(), known) << to_string(change.outcome);
    if (change.energy) {
      ASSERT_GT(change.energy->value(), 0);
      ASSERT_LE(*change.energy, Watts{0.01} * (change.end - change.begin + 20ms));
    }
  }
  for (const Outcome outcome : {Outcome::unchanged, Outcome::step, Outcome::wrap, Outcome::stall,
                                Outcome::reset, Outcome::jump, Outcome::lapsed}) {
    EXPECT_GT(counter.count_of(outcome), 0U) << to_string(outcome);
  }
}

TEST(EnergyCounter, AnyRangeHasAGap) {
  EXPECT_EQ(EnergyCounter({.range = 1, .limit = Watts{1e6}}).longest_gap(), 0ns);
  EXPECT_GT(EnergyCounter({.range = UINT64_MAX, .limit = Watts{1}}).longest_gap(), 24h);
}

TEST(EnergyCounter, OutcomesHaveNames) {
  EXPECT_EQ(to_string(Outcome::first), "first");
  EXPECT_EQ(to_string(Outcome::resumed), "resumed");
  EXPECT_EQ(to_string(Outcome::failed), "failed");
}

}  // namespace
}  // namespace enprof
