#include "power/sampler/reading_pace.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};
constexpr Nanoseconds kPeriod = 10ms;

struct Total {
  int readings = 0;
  Nanoseconds cpu{0};
  Nanoseconds longest{0};  // time between two readings
};

/// Simulates readings for `duration`; each one costs what `cost` returns.
template <class Cost>
Total read_for(Nanoseconds duration, const Cost& cost, ReadingPace& pace) {
  Total total;
  pace.start(kStart, total.cpu);
  for (Instant due = kStart + kPeriod; due < kStart + duration;) {
    total.cpu += cost(total.readings++);
    const std::size_t left_out = pace.left_out(due, total.cpu, due + kPeriod, kPeriod);
    const Nanoseconds pause = kPeriod * static_cast<Nanoseconds::rep>(1 + left_out);
    total.longest = std::max(total.longest, pause);
    due += pause;
  }
  return total;
}

TEST(ReadingPace, LeavesNoneOutThatCanBeAfforded) {
  ReadingPace pace{0.002};
  const Total total = read_for(1s, [](int) { return 19us; }, pace);
  EXPECT_EQ(total.readings, 99);
}

TEST(ReadingPace, KeepsWhatReadingTakesToItsShare) {
  ReadingPace pace{0.002};
  const Total total = read_for(100s, [](int) { return 90us; }, pace);
  EXPECT_NEAR(seconds(total.cpu), 0.2, 0.002);
  EXPECT_NEAR(total.readings, 100 / 0.045, 25);
  EXPECT_LE(total.longest, 50ms);
}

TEST(ReadingPace, OneThatCostMuchIsPaidForByThoseAfterIt) {
  ReadingPace pace{0.002};
  const Total total =
      read_for(100s, [](int reading) { return reading % 50 == 0 ? 2000us : 50us; }, pace);
  EXPECT_NEAR(seconds(total.cpu), 0.2, 0.004);
  EXPECT_EQ(total.longest, 100ms) << "and never longer";
}

TEST(ReadingPace, NothingIsSavedUp) {
  ReadingPace pace{0.002};
  pace.start(kStart, 0ns);
  EXPECT_EQ(pace.left_out(kStart + 1h, 10us, kStart + 1h + kPeriod, kPeriod), 0U);
  const Instant later = kStart + 1h + kPeriod;
  EXPECT_EQ(pace.left_out(later, 210us, later + kPeriod, kPeriod), 8U);
}

TEST(ReadingPace, WhatNothingCanBePaidForIsReadAsRarelyAsThereIs) {
  ReadingPace pace{0.002};
  const Total total = read_for(10s, [](int) { return 5ms; }, pace);
  EXPECT_NEAR(total.readings, 100, 1);
}

}  // namespace
}  // namespace enprof
