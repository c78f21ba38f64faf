#include "attribution/outside_power.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Instant at(Nanoseconds since) { return Instant{} + since; }

EnergyWindow window(Nanoseconds begin, Nanoseconds end, double watts) {
  return {.begin = at(begin), .end = at(end), .energy = Watts{watts} * (end - begin)};
}

/// The spans are [100 ms, 200 ms] and draw 60 W; idle is 10 W. Of the window [90, 110] ms, 10 ms
/// lie outside.
OutsidePowers::Energy before(std::vector<EnergyWindow> windows,
                             std::optional<Watts> idle = Watts{10}) {
  windows.push_back(window(90ms, 110ms, 40));
  windows.push_back(window(110ms, 200ms, 60));
  const EnergyTimeline timeline(windows, Nanoseconds{0});
  const OutsidePowers powers(timeline, at(100ms), at(200ms), idle, Watts{60});
  return powers.energy(timeline.segment(timeline.segment_at(at(100ms))));
}

TEST(OutsidePowers, WindowsBesideTheSpansShowThePower) {
  const auto energy = before({window(60ms, 70ms, 90), window(70ms, 80ms, 22),
                              window(80ms, 85ms, 20), window(85ms, 90ms, 20)});
  EXPECT_TRUE(energy.is_measured);
  EXPECT_NEAR(energy.joules, 0.01 * 21, 1e-9) << "three windows: 22 W for 10 ms, 20 W for 10 ms";
  EXPECT_NEAR(std::sqrt(energy.variance), 0.01 * std::sqrt(1.5), 1e-6);
}

TEST(OutsidePowers, OneWindowIsLessCertain) {
  const auto energy = before({window(80ms, 90ms, 20)});
  EXPECT_TRUE(energy.is_measured);
  EXPECT_NEAR(energy.joules, 0.01 * 20, 1e-9);
  EXPECT_NEAR(std::sqrt(energy.variance), 0.01 * 4, 1e-9);
}

TEST(OutsidePowers, BeyondAGapWindowsSayNothing) {
  const auto energy = before({window(60ms, 80ms, 20)});
  EXPECT_FALSE(energy.is_measured);
  EXPECT_NEAR(energy.joules, 0.01 * 35, 1e-9) << "between 10 and 60 W";
  EXPECT_NEAR(std::sqrt(energy.variance), 0.01 * 50 / std::sqrt(12.0), 1e-9);
}

TEST(OutsidePowers, WithoutIdlePowerTheSpansOwnIsAssumed) {
  const auto energy = before({}, std::nullopt);
  EXPECT_FALSE(energy.is_measured);
  EXPECT_NEAR(energy.joules, 0.01 * 60, 1e-9);
  EXPECT_NEAR(std::sqrt(energy.variance), 0.01 * 60 / std::sqrt(12.0), 1e-9);
}

TEST(OutsidePowers, AWindowWithinTheSpansHasNothingOutside) {
  const std::vector<EnergyWindow> windows{window(100ms, 200ms, 60)};
  const EnergyTimeline timeline(windows, Nanoseconds{0});
  const OutsidePowers powers(timeline, at(100ms), at(200ms), Watts{10}, Watts{60});
  const auto energy = powers.energy(timeline.segment(0));
  EXPECT_EQ(energy.joules, 0.0);
  EXPECT_EQ(energy.variance, 0.0);
  EXPECT_TRUE(energy.is_measured);
}

}  // namespace
}  // namespace enprof
