#include "record/border_pace.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

/// Passes borders until the pace has met an instant.
struct Passing {
  BorderPace& pace;
  Instant now = kStart;
  int looks = 0;
  int borders = 0;

  /// Returns by how much the instant was missed.
  Nanoseconds wait_for(Instant due, Nanoseconds gap) {
    for (;;) {
      now += gap;
      ++borders;
      if (!pace.is_due()) {
        continue;
      }
      ++looks;
      pace.plan(now, due);
      if (now >= due) {
        return now - due;
      }
    }
  }
};

TEST(BorderPace, MeetsAnInstantByTheNextBorderWithFewLooks) {
  BorderPace pace;
  Passing passing{pace};
  for (int wait = 1; wait <= 100; ++wait) {
    EXPECT_LT(passing.wait_for(kStart + wait * 2ms, 24us), 24us);
  }
  EXPECT_GT(passing.borders, 8000);
  EXPECT_LT(passing.looks, passing.borders / 8);
}

TEST(BorderPace, FollowsBordersThatComeFurtherApart) {
  BorderPace pace;
  Passing passing{pace};
  static_cast<void>(passing.wait_for(kStart + 10ms, 10us));
  pace.restart();
  static_cast<void>(passing.wait_for(kStart + 12ms, 500us));
  EXPECT_LT(passing.wait_for(kStart + 20ms, 500us), 500us);
}

TEST(BorderPace, WithNothingToWaitForItHardlyLooks) {
  BorderPace pace;
  int looks = 0;
  Instant now = kStart;
  for (int border = 0; border < 100'000; ++border) {
    now += 24us;
    if (pace.is_due()) {
      ++looks;
      pace.plan(now, Instant::max());
    }
  }
  EXPECT_LT(looks, 40);
}

TEST(BorderPace, AClockThatStandsStillLooksAtEach) {
  BorderPace pace;
  for (int border = 0; border < 10; ++border) {
    EXPECT_TRUE(pace.is_due());
    pace.plan(kStart, kStart + 1ms);
  }
}

}  // namespace
}  // namespace enprof
