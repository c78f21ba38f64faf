#include "store/downsample.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace enprof {
namespace {

using std::chrono::milliseconds;

std::vector<PowerPoint> wave(int count) {
  std::vector<PowerPoint> points;
  points.reserve(static_cast<std::size_t>(count));
  for (int index = 0; index < count; ++index) {
    points.push_back({.begin = milliseconds{10} * index,
                      .end = milliseconds{10} * (index + 1),
                      .power = Watts{50.0 + 10.0 * std::sin(index * 0.01)}});
  }
  return points;
}

TEST(Downsample, KeepsAShortSeries) {
  EXPECT_EQ(downsample(wave(5), 0), wave(5));
  EXPECT_EQ(downsample(wave(5), 5), wave(5));
  EXPECT_EQ(downsample(wave(5), 9), wave(5));
  EXPECT_TRUE(downsample({}, 3).empty());
}

TEST(Downsample, KeepsExactlyTheGivenNumberOfPointsInOrder) {
  const auto points = wave(1000);
  for (const std::size_t count : {1U, 2U, 3U, 4U, 7U, 100U, 499U, 998U, 999U}) {
    const auto chosen = downsample(points, count);
    EXPECT_EQ(chosen.size(), count);
    EXPECT_TRUE(std::ranges::is_sorted(chosen, {}, &PowerPoint::begin));
    for (const PowerPoint& point : chosen) {
      EXPECT_NE(std::ranges::find(points, point), points.end());
    }
    EXPECT_EQ(chosen.back(), points.back());
    if (count > 1) {
      EXPECT_EQ(chosen.front(), points.front());
    }
    EXPECT_EQ(std::ranges::adjacent_find(chosen), chosen.end());
  }
}

TEST(Downsample, ASinglePeakStays) {
  auto points = wave(10'000);
  points[7654].power = Watts{300};
  points[1234].power = Watts{0};
  const auto chosen = downsample(points, 50);
  EXPECT_NE(std::ranges::find(chosen, points[7654]), chosen.end());
  EXPECT_NE(std::ranges::find(chosen, points[1234]), chosen.end());
}

/// Computed by hand: the first, the last, and the larger triangles of {(1,1) (2,5)} and {(3,0)
/// (4,4)}.
TEST(Downsample, ChoosesTheLargestTriangle) {
  std::vector<PowerPoint> points;
  for (const double power : {0.0, 1.0, 5.0, 0.0, 4.0, 2.0}) {
    const auto begin = std::chrono::seconds{static_cast<int>(points.size())};
    points.push_back({.begin = begin, .end = begin, .power = Watts{power}});
  }
  const auto chosen = downsample(points, 4);
  // From (0,0) with the mean (3.5,2): |3.5*1-2*1| = 1.5 < |3.5*5-2*2| = 13.5.
  // From (2,5) with (5,2): |3*(0-5)-1*(2-5)| = 12 > |3*(4-5)-2*(2-5)| = 3.
  EXPECT_EQ(chosen, (std::vector<PowerPoint>{points[0], points[2], points[3], points[5]}));
}

}  // namespace
}  // namespace enprof
