#include "power/sampler/rate_meter.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

/// Simulates readings at a steady rate; returns the number of reported deviations.
int count_deviations(RateMeter& meter, Instant& now, Nanoseconds step, Nanoseconds duration,
                     std::optional<RateMeter::Deviation>* last = nullptr) {
  int count = 0;
  for (const Instant end = now + duration; now < end;) {
    now += step;
    if (const auto deviation = meter.tick(now)) {
      ++count;
      if (last != nullptr) {
        *last = deviation;
      }
    }
  }
  return count;
}

TEST(RateMeter, IsSilentWithinAFifth) {
  RateMeter meter;
  Instant now = kStart;
  meter.start(now, 10ms);
  EXPECT_FALSE(meter.actual_hz(now));
  EXPECT_EQ(count_deviations(meter, now, 10ms, 60s), 0);
  EXPECT_NEAR(*meter.actual_hz(now), 100, 1e-9);
  EXPECT_EQ(count_deviations(meter, now, 12ms, 60s), 0);
  EXPECT_NEAR(*meter.actual_hz(now), 1 / 0.012, 0.1);
  EXPECT_DOUBLE_EQ(meter.asked_hz(), 100);
}

TEST(RateMeter, TellsBothRatesOncePerSpan) {
  RateMeter meter;
  Instant now = kStart;
  meter.start(now, 10ms);
  std::optional<RateMeter::Deviation> last;
  EXPECT_EQ(count_deviations(meter, now, 20ms, 20s, &last), 4);
  ASSERT_TRUE(last);
  EXPECT_DOUBLE_EQ(last->asked_hz, 100);
  EXPECT_NEAR(last->actual_hz, 50, 1e-9);
  meter.start(now, 10ms);
  EXPECT_EQ(count_deviations(meter, now, 5ms, 20s, &last), 4);
  EXPECT_NEAR(last->actual_hz, 200, 1e-9);
}

TEST(RateMeter, WhatIsLeftOutOnPurposeIsNoDeviation) {
  RateMeter meter;
  Instant now = kStart;
  meter.start(now, 10ms);
  std::optional<RateMeter::Deviation> last;
  for (int reading = 0; reading < 1'000; ++reading) {
    now += 40ms;
    last = meter.tick(now, 3);
    ASSERT_FALSE(last);
  }
  EXPECT_NEAR(*meter.actual_hz(now), 25, 0.1);
  for (int reading = 0; reading < 100 && !last; ++reading) {
    now += 80ms;  // instead of 40 ms
    last = meter.tick(now, 3);
  }
  ASSERT_TRUE(last);
  EXPECT_NEAR(last->actual_hz, 12.5, 0.2);
  EXPECT_NEAR(last->asked_hz, 62.5, 0.5);
}

TEST(RateMeter, AShortHiccupIsNone) {
  RateMeter meter;
  Instant now = kStart;
  meter.start(now, 10ms);
  now += 500ms;
  EXPECT_EQ(count_deviations(meter, now, 10ms, 30s), 0);
}

TEST(RateMeter, ASlowSourceIsJudgedOverFivePeriods) {
  RateMeter meter;
  Instant now = kStart;
  meter.start(now, 10s);
  EXPECT_EQ(count_deviations(meter, now, 10s, 500s), 0);
  EXPECT_EQ(count_deviations(meter, now, 15s, 500s), 500 / 15 / 4);
}

TEST(RateMeter, ASensorThatHangsHasARateToo) {
  RateMeter meter;
  Instant now = kStart;
  meter.start(now, 10ms);
  count_deviations(meter, now, 10ms, 6s);
  EXPECT_NEAR(*meter.actual_hz(now), 100, 0.1);
  now += 99s;
  EXPECT_NEAR(*meter.actual_hz(now), 1, 0.01);
}

}  // namespace
}  // namespace enprof
