#include "attribution/replay_powers.hpp"

#include "attribution/replay_schedule.hpp"
#include "bench/sim/random.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

namespace enprof {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Instant at(Nanoseconds since) { return Instant{} + since; }

/// Windows of 100 ms over turns of classes with these powers; all power is multiplied by `gain`.
struct Replayed {
  std::vector<EnergyWindow> windows;
  std::vector<ReplaySlice> slices;

  template <class Gain>
  Replayed(const std::vector<double>& watts, Gain gain, Nanoseconds offset = Nanoseconds{0}) {
    Instant now = at(offset);
    const std::vector<double> alike(watts.size(), 1.0);
    const auto schedule = schedule_replay(alike, seconds{30}, milliseconds{100});
    for (const ReplayTurn& turn : schedule.turns) {
      slices.push_back(
          {.work = turn.work, .begin = now, .end = now + turn.length, .operations = 100});
      now += turn.length;
    }
    constexpr Nanoseconds kStep = milliseconds{1};
    constexpr int kSteps = 100;
    auto slice = slices.begin();
    for (Instant begin = at(Nanoseconds{0}); begin + kSteps * kStep <= now;
         begin += kSteps * kStep) {
      double joules = 0.0;
      for (int step = 0; step < kSteps; ++step) {
        const Instant instant = begin + step * kStep;
        while (slice->end <= instant) {
          ++slice;
        }
        joules += instant < slice->begin ? 0.0 : 1e-3 * watts[slice->work] * gain(instant);
      }
      windows.push_back({.begin = begin, .end = begin + kSteps * kStep, .energy = Joules{joules}});
    }
  }
};

TEST(ReplayPowers, AreThoseOfWindowsWithinOneTurn) {
  // The turns do not begin with windows: the windows at their edges hold two classes each.
  const std::vector<double> watts{30.0, 60.0, 45.0, 50.0};
  const Replayed replayed(watts, [](Instant) { return 1.0; }, milliseconds{37});
  const EnergyTimeline timeline(replayed.windows, Nanoseconds{0});
  const auto powers = powers_of_replay(timeline, replayed.slices, 4);
  for (std::size_t work = 0; work < 4; ++work) {
    ASSERT_TRUE(powers[work]) << work;
    EXPECT_NEAR(powers[work]->watts / watts[work], 1.0, 0.003) << work;
    EXPECT_LT(powers[work]->deviation, 0.01) << work;
    EXPECT_GT(powers[work]->windows, 20U) << work;
  }
}

TEST(ReplayPowers, DriftIsRemoved) {
  const std::vector<double> watts{30.0, 60.0, 45.0, 50.0, 55.0, 40.0};
  const Replayed replayed(watts, [](Instant instant) {
    return 1.0 + 0.1 * std::exp(-to_ms(instant - Instant{}) / 5000.0);
  });
  const EnergyTimeline timeline(replayed.windows, Nanoseconds{0});
  const auto powers = powers_of_replay(timeline, replayed.slices, watts.size());
  double factor = 0.0;
  for (std::size_t work = 0; work < watts.size(); ++work) {
    factor += powers[work]->watts / watts[work] / static_cast<double>(watts.size());
  }
  for (std::size_t work = 0; work < watts.size(); ++work) {
    EXPECT_NEAR(powers[work]->watts / watts[work] / factor, 1.0, 0.01) << work;
  }
}

TEST(ReplayPowers, ErrorsAreAsLargeAsClaimed) {
  sim::Random random(3);
  double squares = 0.0;
  int count = 0;
  for (int repeat = 0; repeat < 40; ++repeat) {
    const std::vector<double> watts{30.0, 60.0, 45.0, 50.0, 55.0, 40.0};
    Replayed replayed(watts, [](Instant) { return 1.0; });
    for (EnergyWindow& window : replayed.windows) {
      window.energy = window.energy * (1.0 + 0.03 * random.normal());
    }
    const EnergyTimeline timeline(replayed.windows, Nanoseconds{0});
    const auto powers = powers_of_replay(timeline, replayed.slices, watts.size());
    double common = 0.0;  // error of all classes, which is not in their deviations
    for (std::size_t work = 0; work < watts.size(); ++work) {
      common += powers[work]->watts / watts[work] / static_cast<double>(watts.size());
    }
    for (std::size_t work = 0; work < watts.size(); ++work) {
      const double z = (powers[work]->watts / watts[work] - common) / powers[work]->deviation;
      squares += z * z;
      ++count;
    }
  }
  EXPECT_GT(squares / count, 0.7);
  EXPECT_LT(squares / count, 1.4);
}

TEST(ReplayPowers, OneTurnOfEachClassHasTheErrorOfItsWindows) {
  std::vector<EnergyWindow> windows;
  for (int window = 0; window < 20; ++window) {
    const double watts = (window < 10 ? 30.0 : 60.0) + (window % 2 == 0 ? 1.0 : -1.0);
    windows.push_back({.begin = at(milliseconds{100 * window}),
                       .end = at(milliseconds{100 * (window + 1)}),
                       .energy = Joules{watts * 0.1}});
  }
  const EnergyTimeline timeline(windows, Nanoseconds{0});
  const std::vector<ReplaySlice> slices{
      {.work = 0, .begin = at(seconds{0}), .end = at(seconds{1}), .operations = 5},
      {.work = 1, .begin = at(seconds{1}), .end = at(seconds{2}), .operations = 5}};
  const auto powers = powers_of_replay(timeline, slices, 2);
  ASSERT_TRUE(powers[0] && powers[1]);
  EXPECT_NEAR(powers[0]->watts, 30.0, 1e-6);
  EXPECT_NEAR(powers[1]->watts, 60.0, 1e-6);
  // Relative spreads of 1/30 and 1/60, pooled; ten windows each; half of it is common.
  EXPECT_NEAR(powers[0]->deviation, 0.0278 / std::sqrt(10.0) / std::sqrt(2.0), 0.0005);
  EXPECT_DOUBLE_EQ(powers[0]->deviation, powers[1]->deviation);
}

TEST(ReplayPowers, AClassWithoutAWholeWindowHasNone) {
  const std::vector<EnergyWindow> windows{
      {.begin = at(seconds{0}), .end = at(seconds{2}), .energy = Joules{100.0}}};
  const EnergyTimeline timeline(windows, Nanoseconds{0});
  const std::vector<ReplaySlice> slices{
      {.work = 0, .begin = at(seconds{0}), .end = at(seconds{1}), .operations = 5},
      {.work = 1, .begin = at(seconds{1}), .end = at(seconds{2}), .operations = 5}};
  for (const auto& power : powers_of_replay(timeline, slices, 2)) {
    EXPECT_FALSE(power);
  }
  EXPECT_TRUE(powers_of_replay(timeline, {}, 0).empty());
}

}  // namespace
}  // namespace enprof
