#include "base/suspend_watch.hpp"

#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

TEST(SuspendWatch, NoticesTimeThatOnlyOneClockCounted) {
  testing::ManualClock monotonic;
  testing::ManualClock boot{5h};
  SuspendWatch watch(monotonic, &boot);
  EXPECT_EQ(watch.slept(), 0ns);
  monotonic.advance(10s);
  boot.advance(10s);
  EXPECT_EQ(watch.slept(), 0ns);
  boot.advance(90s);
  EXPECT_EQ(watch.slept(), 90s);
  EXPECT_EQ(watch.slept(), 0ns);
  boot.advance(500us);
  EXPECT_EQ(watch.slept(), 0ns);
}

TEST(SuspendWatch, WithoutABootClockNothingIsNoticed) {
  testing::ManualClock monotonic;
  SuspendWatch watch(monotonic, nullptr);
  EXPECT_EQ(watch.slept(), 0ns);
  monotonic.advance(1h);
  EXPECT_EQ(watch.slept(), 0ns);
}

TEST(SuspendWatch, AMachineThatIsAwakeDoesNotSleep) {
  SuspendWatch watch(monotonic_clock(), &boot_clock());
  for (int look = 0; look < 10'000; ++look) {
    ASSERT_EQ(watch.slept(), 0ns);
  }
}

}  // namespace
}  // namespace enprof
