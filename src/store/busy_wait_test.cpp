#include "store/busy_wait.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>

namespace enprof {
namespace {

using std::chrono::milliseconds;

TEST(BusyWaitTest, PausesGrowToALimitAndDiffer) {
  BusyWait wait(std::chrono::seconds{5}, 1);
  Nanoseconds most{0};
  for (int attempts = 0; attempts < 40; ++attempts) {
    const Nanoseconds longest = std::min<Nanoseconds>(
        BusyWait::kFirst * (1LL << std::min(attempts, 10)), BusyWait::kLongest);
    std::set<Nanoseconds> pauses;
    for (int sample = 0; sample < 20; ++sample) {
      const Nanoseconds pause = wait.pause(attempts, Nanoseconds{0});
      EXPECT_GE(pause, longest / 2);
      EXPECT_LE(pause, longest);
      pauses.insert(pause);
    }
    EXPECT_GT(pauses.size(), 15U) << "two waiting programs must not retry in step";
    most = std::max(most, *pauses.rbegin());
  }
  EXPECT_LE(most, BusyWait::kLongest);
  EXPECT_GT(most, BusyWait::kLongest / 2);
}

TEST(BusyWaitTest, ItEndsAtTheLimit) {
  BusyWait wait(milliseconds{30}, 1);
  EXPECT_LE(wait.pause(9, milliseconds{29}), milliseconds{1});
  EXPECT_EQ(wait.pause(9, milliseconds{30}), Nanoseconds{0});
  EXPECT_EQ(BusyWait(Nanoseconds{0}, 1).pause(0, Nanoseconds{0}), Nanoseconds{0});
  EXPECT_EQ(wait.pause(1'000'000'000, Nanoseconds{0}) > Nanoseconds{0}, true);
}

TEST(BusyWaitTest, AFileThatIsNotLockedHasNoHolder) {
  EXPECT_EQ(lock_holder("/nowhere/profiles.db"), "");
}

}  // namespace
}  // namespace enprof
