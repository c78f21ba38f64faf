#include "power/counter/step_grid.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};
constexpr Nanoseconds kPeriod{976'562};

class StepGridTest : public ::testing::Test {
 protected:
  /// Shows every nth step, with a random error of up to `jitter`.
  void show(int steps, int every, Nanoseconds jitter, Nanoseconds period = kPeriod) {
    std::uniform_int_distribution<Nanoseconds::rep> off(-jitter.count(), jitter.count());
    for (int step = 0; step < steps; ++step) {
      at_ += every * period;
      grid_.add_step(at_ + Nanoseconds{off(random_)}, 2us);
    }
  }
  [[nodiscard]] double off_us(const StepGrid::Expected& expected, Nanoseconds period = kPeriod) {
    const Nanoseconds apart = expected.at - at_;
    return to_ms(apart - expected.periods * period) * 1e3;
  }

  StepGrid grid_{kPeriod};
  Instant at_ = kStart;
  std::mt19937_64 random_{3};
};

TEST_F(StepGridTest, WithoutAStepThereIsNoPhase) {
  EXPECT_FALSE(grid_.has_phase());
  grid_.add_step(kStart, 1us);
  EXPECT_TRUE(grid_.has_phase());
  EXPECT_EQ(grid_.next(kStart + 1ns).at, kStart + kPeriod);
  grid_.forget_phase();
  EXPECT_FALSE(grid_.has_phase());
}

TEST_F(StepGridTest, FarAheadIsLessCertain) {
  show(8, 1, 10us);
  EXPECT_LT(grid_.next(at_ + 1ms).error, grid_.next(at_ + 10ms).error);
  EXPECT_LT(grid_.next(at_ + 10ms).error, grid_.next(at_ + 1s).error);
}

TEST_F(StepGridTest, ManyStepsMakeItSure) {
  show(8, 1, 10us);
  const Nanoseconds few = grid_.next(at_ + 10ms).error;
  show(300, 10, 10us);
  const auto expected = grid_.next(at_ + 10ms);
  EXPECT_LT(expected.error, few);
  EXPECT_LT(std::abs(off_us(expected)), 8);
  // Uniform within ±10 µs.
  EXPECT_NEAR(to_ms(grid_.jitter()) * 1e3, 10 / std::sqrt(3), 1.5);
  EXPECT_NEAR(to_ms(grid_.period()), to_ms(kPeriod), 1e-4);
}

TEST_F(StepGridTest, APeriodThatIsNotAsExpectedIsLearned) {
  show(8, 1, 5us, 1'010us);
  EXPECT_NEAR(to_ms(grid_.period()), 1.01, 0.003);
  show(50, 10, 5us, 1'010us);
  EXPECT_NEAR(to_ms(grid_.period()), 1.01, 2e-4);
  EXPECT_LT(std::abs(off_us(grid_.next(at_ + 10ms), 1'010us)), 10);
}

TEST_F(StepGridTest, ADriftIsFollowed) {
  show(8, 1, 5us);
  show(50, 10, 5us);
  for (Nanoseconds period = kPeriod; period < kPeriod + 400ns; period += 4ns) {
    show(10, 10, 5us, period);  // 4 ppm per tenth of a second
  }
  EXPECT_NEAR(to_ms(grid_.period()), to_ms(kPeriod) + 0.0004, 1e-4);
  EXPECT_LT(std::abs(off_us(grid_.next(at_ + 10ms), kPeriod + 400ns)), 12);
}

TEST_F(StepGridTest, AStepOutOfTheOrdinaryChangesNothing) {
  show(8, 1, 2us);
  show(100, 10, 2us);
  const auto before = grid_.next(at_ + 20ms);
  grid_.add_step(at_ + 10 * kPeriod + 300us, 2us);
  const auto after = grid_.next(at_ + 20ms);
  EXPECT_EQ(before.at, after.at);
}

TEST_F(StepGridTest, ButManyAreAnotherGrid) {
  show(8, 1, 2us);
  show(100, 10, 2us);
  at_ += 300us;
  show(10, 10, 2us);
  EXPECT_LT(std::abs(off_us(grid_.next(at_ + 10ms))), 10);
}

TEST_F(StepGridTest, WhatCannotBeCountedIsANewPhase) {
  show(4, 1, 5us);
  at_ += 1min + 333us;
  grid_.add_step(at_, 2us);
  EXPECT_EQ(grid_.next(at_ + 1us).periods, 1);
  EXPECT_LT(std::abs(off_us(grid_.next(at_ + 1us))), 20);
}

TEST_F(StepGridTest, AMissMakesItLessSure) {
  show(8, 1, 5us);
  show(20, 10, 5us);
  const Nanoseconds before = grid_.next(at_ + 10ms).error;
  grid_.add_miss();
  grid_.add_miss();
  EXPECT_GT(grid_.next(at_ + 10ms).error, before);
}

TEST_F(StepGridTest, HowFarTwoGridsAreApart) {
  StepGrid other{kPeriod};
  grid_.add_step(kStart, 1us);
  other.add_step(kStart + 7 * kPeriod + 30us, 1us);
  EXPECT_EQ(grid_.offset_of(other), 30us);
  EXPECT_EQ(other.offset_of(grid_), -30us);
}

TEST_F(StepGridTest, TheLastStepBeforeAnInstant) {
  show(8, 1, 0us);
  const auto at = grid_.last(at_ + 5 * kPeriod + 100us);
  EXPECT_EQ(at.periods, 5);
  EXPECT_LT(std::abs(off_us(at)), 1);
  const auto earlier = grid_.last(at_ - kPeriod / 2);
  EXPECT_EQ(earlier.periods, -1);
  EXPECT_LT(std::abs(off_us(earlier)), 1);
}

/// Borders 25 µs apart, in a time of their own: the step lies between two of them.
class StepGridBrackets : public StepGridTest {
 protected:
  static constexpr Nanoseconds kGap = 25us;

  /// Borders are looked at from shortly before a prediction until a step was seen, as BorderReader
  /// does. Returns the root mean square of how wrong predictions were, in µs.
  double follow(int steps, int every, Nanoseconds period, bool as_bracket) {
    std::uniform_int_distribution<Nanoseconds::rep> phase(0, kGap.count() - 1);
    double squares = 0;
    for (int step = 0; step < steps; ++step) {
      at_ += every * period;
      const Instant predicted = grid_.last(at_ + kPeriod / 2).at;
      squares += std::pow(to_ms(predicted - at_) * 1e3, 2);
      Instant from = std::min(predicted, at_) - Nanoseconds{phase(random_)};
      while (from + kGap < at_) {
        from += kGap;
      }
      if (as_bracket) {
        grid_.add_bracket(from, from + kGap);
      } else {
        grid_.add_step(from + kGap / 2, kGap);
      }
    }
    return std::sqrt(squares / steps);
  }
};

TEST_F(StepGridBrackets, KeepTheGrid) {
  show(8, 1, 10us);
  follow(100, 8, kPeriod, true);
  EXPECT_LT(follow(1000, 8, kPeriod, true), 6);
  const auto expected = grid_.next(at_ + 100ms);
  EXPECT_LT(expected.error, 30us);
  EXPECT_LT(std::abs(off_us(expected)), 20);
}

TEST_F(StepGridBrackets, FollowADriftingPeriod) {
  show(8, 1, 10us);
  for (int part = 0; part < 20; ++part) {
    EXPECT_LT(follow(100, 8, kPeriod + part * 5ns, true), 12) << part;
  }
}

TEST_F(StepGridBrackets, SayNothingWhereTheyOnlyEncloseThePrediction) {
  show(200, 1, 10us);
  const StepGrid before = grid_;
  at_ += kPeriod;
  grid_.add_bracket(at_ - 400us, at_ + 300us);
  EXPECT_LE(std::chrono::abs(grid_.next(at_ + 1us).at - before.next(at_ + 1us).at), 2ns);
  EXPECT_EQ(grid_.period(), before.period());
}

TEST_F(StepGridBrackets, AreASurpriseOnceAndTheTruthWhereTheyStay) {
  show(200, 1, 5us);
  at_ += kPeriod;
  const auto expected = grid_.next(at_ + 1us).at;
  grid_.add_bracket(at_ + 200us, at_ + 210us);
  EXPECT_EQ(grid_.next(at_ + 1us).at, expected) << "one may be wrong";
  at_ += 200us;  // the counter was set again
  for (int step = 0; step < 20; ++step) {
    at_ += kPeriod;
    grid_.add_bracket(at_ - 5us, at_ + 5us);
  }
  EXPECT_LT(std::abs(off_us(grid_.next(at_ + 1us))), 6);
}

TEST_F(StepGridBrackets, SetThePhaseWhereThereIsNone) {
  grid_.add_bracket(kStart, kStart + 20us);
  ASSERT_TRUE(grid_.has_phase());
  EXPECT_EQ(grid_.next(kStart + 20us).at, kStart + 10us + kPeriod);
}

}  // namespace
}  // namespace enprof
