#include "power/energy_counter.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using Event = EnergyCounter::Event;

constexpr std::uint64_t kRange = 262'143'328'850;  // µJ, what most machines say
constexpr Instant kStart{1h};

class EnergyCounterTest : public ::testing::Test {
 protected:
  EnergyCounter counter_{kRange, Watts{2000}};
};

TEST_F(EnergyCounterTest, TheFirstReadingSaysNothing) {
  EXPECT_FALSE(counter_.last_step());
  EXPECT_EQ(counter_.read(123, kStart).event, Event::first);
  EXPECT_EQ(counter_.last_step(), kStart);
}

TEST_F(EnergyCounterTest, AStepIsTheDifference) {
  counter_.read(1'000'000, kStart);
  const auto change = counter_.read(1'500'000, kStart + 10ms);
  EXPECT_EQ(change.event, Event::step);
  EXPECT_EQ(change.begin, kStart);
  EXPECT_EQ(change.end, kStart + 10ms);
  EXPECT_DOUBLE_EQ(change.energy.value(), 0.5);
}

TEST_F(EnergyCounterTest, AWindowEndsAtAStepAndBeginsAtTheOneBefore) {
  counter_.read(1'000'000, kStart);
  EXPECT_EQ(counter_.read(1'000'000, kStart + 10ms).event, Event::unchanged);
  EXPECT_EQ(counter_.read(1'000'000, kStart + 20ms).event, Event::unchanged);
  const auto change = counter_.read(1'600'000, kStart + 30ms);
  EXPECT_EQ(change.event, Event::step);
  EXPECT_EQ(change.begin, kStart);
  EXPECT_DOUBLE_EQ(change.energy.value(), 0.6);
}

TEST_F(EnergyCounterTest, AWrapAddsTheRangeOnce) {
  counter_.read(kRange - 300'000, kStart);
  const auto change = counter_.read(200'000, kStart + 10ms);
  EXPECT_EQ(change.event, Event::step);
  EXPECT_DOUBLE_EQ(change.energy.value(), 0.5);
}

TEST_F(EnergyCounterTest, AResetIsNotAWrap) {
  counter_.read(100'000'000'000, kStart);
  const auto reset = counter_.read(5'000'000, kStart + 10ms);
  EXPECT_EQ(reset.event, Event::impossible);
  EXPECT_GT(reset.energy.value(), 100'000);
  // It goes on from there.
  const auto change = counter_.read(5'400'000, kStart + 20ms);
  EXPECT_EQ(change.event, Event::step);
  EXPECT_EQ(change.begin, kStart + 10ms);
  EXPECT_DOUBLE_EQ(change.energy.value(), 0.4);
}

TEST_F(EnergyCounterTest, AJumpBeyondTheLimitIsImpossible) {
  counter_.read(0, kStart);
  EXPECT_EQ(counter_.read(61'000'000, kStart + 10ms).event, Event::impossible);  // 6.1 kW
  counter_.forget();
  counter_.read(0, kStart);
  EXPECT_EQ(counter_.read(59'000'000, kStart + 10ms).event, Event::step);  // within 2 kW × 30 ms
}

TEST_F(EnergyCounterTest, AShortWindowMayHoldAWholeStep) {
  counter_.read(0, kStart);
  // One step of 1 ms at 500 W, seen 10 µs after the reading before it.
  EXPECT_EQ(counter_.read(500'000, kStart + 10us).event, Event::step);
}

TEST_F(EnergyCounterTest, AFailedReadingIsBridgedWhileOneWrapAtMostIsPossible) {
  counter_.read(kRange - 50'000'000, kStart);
  const auto bridged = counter_.read(50'000'000, kStart + 2s);  // nothing was read for two seconds
  EXPECT_EQ(bridged.event, Event::step);
  EXPECT_EQ(bridged.begin, kStart);
  EXPECT_DOUBLE_EQ(bridged.energy.value(), 100.0);
}

TEST_F(EnergyCounterTest, TooLongAGapIsUnknownWhateverTheValueSays) {
  EXPECT_NEAR(seconds(counter_.longest_gap()), 131.07, 0.01);
  counter_.read(1'000'000, kStart);
  EXPECT_EQ(counter_.read(2'000'000, kStart + 132s).event, Event::lapsed);
  EXPECT_EQ(counter_.read(2'000'000, kStart + 300s).event, Event::lapsed);
  EXPECT_EQ(counter_.read(3'000'000, kStart + 301s).event, Event::step);
}

TEST_F(EnergyCounterTest, AStandstillIsNoGapWhileItIsBeingRead) {
  counter_.read(1'000'000, kStart);
  for (auto at = 60s; at <= 600s; at += 60s) {
    EXPECT_EQ(counter_.read(1'000'000, kStart + at).event, Event::unchanged);
  }
  const auto change = counter_.read(1'100'000, kStart + 610s);
  EXPECT_EQ(change.event, Event::step);
  EXPECT_EQ(change.begin, kStart);
  // But what came at once after a standstill must have been drawn since the last reading.
  EXPECT_EQ(counter_.read(100'000'000, kStart + 610s + 10ms).event, Event::impossible);
}

TEST_F(EnergyCounterTest, AValueBeyondTheRangeIsNeverANegativeEnergy) {
  counter_.read(kRange + 5, kStart);
  const auto change = counter_.read(3, kStart + 10ms);
  EXPECT_EQ(change.event, Event::impossible);
  EXPECT_GE(change.energy.value(), 0);
}

TEST_F(EnergyCounterTest, AStepAtTheSameInstantIsLeftForTheNextReading) {
  counter_.read(1'000'000, kStart);
  EXPECT_EQ(counter_.read(1'200'000, kStart).event, Event::unchanged);
  const auto change = counter_.read(1'300'000, kStart + 1ms);
  EXPECT_EQ(change.event, Event::step);
  EXPECT_DOUBLE_EQ(change.energy.value(), 0.3);
}

TEST(EnergyCounter, AnyRangeHasAGap) {
  EXPECT_EQ(EnergyCounter(1, Watts{1e6}).longest_gap(), 0ns);
  EXPECT_GT(EnergyCounter(UINT64_MAX, Watts{1}).longest_gap(), 24h);
}

}  // namespace
}  // namespace enprof
