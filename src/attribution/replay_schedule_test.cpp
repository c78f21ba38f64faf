#include "attribution/replay_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

namespace enprof {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// For classes that matter alike.
std::vector<ReplayTurn> turns_of(std::size_t classes, Nanoseconds budget, Nanoseconds window) {
  return schedule_replay(std::vector<double>(classes, 1.0), budget, window).turns;
}

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
  const auto turns = turns_of(40, seconds{48}, milliseconds{100});
  const auto counts = turns_by_class(turns);
  ASSERT_EQ(counts.size(), 40U);
  for (const auto& [work, count] : counts) {
    EXPECT_EQ(count, 3) << work;
  }
  EXPECT_EQ(total(turns), seconds{48});
}

TEST(ReplaySchedule, RoundsHaveDifferentOrders) {
  const auto turns = turns_of(40, seconds{48}, milliseconds{100});
  int same = 0;
  for (std::size_t at = 0; at < 40; ++at) {
    same += turns[at].work == turns[40 + at].work ? 1 : 0;
  }
  EXPECT_LT(same, 10);
}

TEST(ReplaySchedule, ClassesThatDoNotFitAreLeftOutTheSmallestFirst) {
  const std::vector<double> weights{0.1, 0.5, 0.02, 0.3, 0.08};
  const auto schedule = schedule_replay(weights, seconds{12}, seconds{1});
  EXPECT_EQ(schedule.rounds, 1U);
  const auto counts = turns_by_class(schedule.turns);
  EXPECT_EQ(counts, (std::map<std::uint32_t, int>{{0, 1}, {1, 1}, {3, 1}}));
  EXPECT_EQ(total(schedule.turns), seconds{12});
}

TEST(ReplaySchedule, OneClassIsNeverLeftOutThoughItsTurnTakesLonger) {
  const std::vector<double> weights{0.1, 0.9};
  const auto schedule = schedule_replay(weights, seconds{1}, seconds{1});
  ASSERT_EQ(schedule.turns.size(), 1U);
  EXPECT_EQ(schedule.turns.front().work, 1U);
  EXPECT_EQ(schedule.turns.front().length, shortest_turn(seconds{1}));
}

TEST(ReplaySchedule, NoBudgetIsExceeded) {
  for (const std::size_t classes : {1U, 7U, 60U, 300U}) {
    for (const milliseconds window : {milliseconds{0}, milliseconds{1}, milliseconds{100},
                                      milliseconds{1000}, milliseconds{10'000}}) {
      for (const seconds budget : {seconds{1}, seconds{45}, seconds{3600}}) {
        const auto turns = turns_of(classes, budget, window);
        EXPECT_LE(total(turns), std::max<Nanoseconds>(budget, shortest_turn(window)))
            << classes << " classes, windows of " << window.count() << " ms";
      }
    }
  }
}

TEST(ReplaySchedule, FastSensorsGetLongerTurnsNotMoreRounds) {
  const auto turns = turns_of(10, seconds{40}, milliseconds{1});
  EXPECT_EQ(turns.size(), 10 * kMostRounds);
  EXPECT_EQ(turns.front().length, milliseconds{500});
}

TEST(ReplaySchedule, WithoutClassesThereIsNothingToDo) {
  EXPECT_TRUE(turns_of(0, seconds{48}, milliseconds{100}).empty());
}

}  // namespace
}  // namespace enprof
