#include "power/sampler/call_watch.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

const auto kBefore = std::chrono::steady_clock::now() - 1h;
const auto kAfter = kBefore + 2h;

TEST(CallWatch, HandsOnWhatACallReturns) {
  CallWatch watch;
  EXPECT_EQ(watch.make([] { return 7; }), 7);
}

TEST(CallWatch, KnowsWhetherACallIsUnderWay) {
  CallWatch watch;
  EXPECT_FALSE(watch.is_under_way());
  EXPECT_EQ(watch.make([&] { return watch.is_under_way(); }), true);
  EXPECT_FALSE(watch.is_under_way());
}

TEST(CallWatch, PatienceBeginsWithTheCallWhereThatCameBeforeTheQuestion) {
  CallWatch watch;
  EXPECT_EQ(watch.deadline(kAfter, 1s), kAfter + 1s);
  const auto deadlines = watch.make(
      [&] { return std::pair{watch.deadline(kBefore, 1s), watch.deadline(kAfter, 1s)}; });
  ASSERT_TRUE(deadlines);
  EXPECT_EQ(deadlines->first, kBefore + 1s);
  EXPECT_LE(deadlines->second, std::chrono::steady_clock::now() + 1s);
}

TEST(CallWatch, AThreadCanBeLeftBehindInACallOnly) {
  CallWatch watch;
  EXPECT_FALSE(watch.leave_thread_behind());
  EXPECT_EQ(watch.make([&] { return watch.leave_thread_behind(); }), std::nullopt)
      << "it learns that when the call returns";
  EXPECT_TRUE(watch.is_thread_left_behind());
  EXPECT_EQ(watch.make([] { return 7; }), std::nullopt) << "and also at later calls";
  watch.reset();
  EXPECT_FALSE(watch.is_thread_left_behind());
  EXPECT_EQ(watch.make([] { return 7; }), 7);
}

}  // namespace
}  // namespace enprof
