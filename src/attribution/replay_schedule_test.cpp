#include "attribution/replay_schedule.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>

namespace enprof {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::map<std::uint32_t, int> turns_by_class(const std::vector<ReplayTurn>& turns) {
  std::map<std::uint32_t, int> counts;
  for (const ReplayTurn& turn : turns) {
    ++counts[turn.work];
  }
  return counts;
}

Nanoseconds total(const std::vector<ReplayTurn>& turns) {
  Nanoseconds sum{0};
  for (const ReplayTurn& turn : turns) {
    sum += turn.length;
  }
  return sum;
}

TEST(ReplaySchedule, EachClassHasATurnInEachRound) {
  const auto turns = schedule_replay(40, seconds{48}, milliseconds{100});
  const auto counts = turns_by_class(turns);
  ASSERT_EQ(counts.size(), 40U);
  for (const auto& [work, count] : counts) {
    EXPECT_EQ(count, 3) << work;
  }
  EXPECT_EQ(total(turns), seconds{48});
}

TEST(ReplaySchedule, RoundsHaveDifferentOrders) {
  const auto turns = schedule_replay(40, seconds{48}, milliseconds{100});
  int same = 0;
  for (std::size_t at = 0; at < 40; ++at) {
    same += turns[at].work == turns[40 + at].work ? 1 : 0;
  }
  EXPECT_LT(same, 10);
}

TEST(ReplaySchedule, ATurnHoldsSeveralWindowsEvenIfThatTakesLonger) {
  const auto turns = schedule_replay(10, seconds{10}, seconds{1});
  ASSERT_EQ(turns.size(), 10U);
  EXPECT_EQ(turns.front().length, seconds{4});
}

TEST(ReplaySchedule, FastSensorsGetLongerTurnsNotMoreRounds) {
  const auto turns = schedule_replay(10, seconds{40}, milliseconds{1});
  EXPECT_EQ(turns.size(), 10 * kMostRounds);
  EXPECT_EQ(turns.front().length, milliseconds{500});
}

TEST(ReplaySchedule, WithoutClassesThereIsNothingToDo) {
  EXPECT_TRUE(schedule_replay(0, seconds{48}, milliseconds{100}).empty());
}

}  // namespace
}  // namespace enprof
