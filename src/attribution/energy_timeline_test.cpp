#include "attribution/energy_timeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace enprof {
namespace {

using std::chrono::milliseconds;

Instant at(double ms) { return Instant{from_ms(ms)}; }

EnergyWindow window(double begin_ms, double end_ms, double joules) {
  return {.begin = at(begin_ms), .end = at(end_ms), .energy = Joules{joules}};
}

TEST(EnergyTimeline, SharesAWindowByOverlap) {
  const std::vector windows{window(0, 100, 5.0), window(100, 200, 10.0)};
  const EnergyTimeline timeline(windows, Nanoseconds{0});

  const EnergyShare share = timeline.share(at(50), at(110));
  EXPECT_NEAR(share.energy.value(), 2.5 + 1.0, 1e-12);
  EXPECT_EQ(share.covered, milliseconds{60});
  EXPECT_NEAR(share.windows, 0.6, 1e-12);
}

TEST(EnergyTimeline, AGapHasNoEnergyAndNoCoverage) {
  const std::vector windows{window(0, 10, 1.0), window(20, 30, 1.0)};
  const EnergyTimeline timeline(windows, Nanoseconds{0});

  const EnergyShare share = timeline.share(at(5), at(25));
  EXPECT_NEAR(share.energy.value(), 1.0, 1e-12);
  EXPECT_EQ(share.covered, milliseconds{10});
  EXPECT_EQ(timeline.share(at(11), at(19)).covered, Nanoseconds{0});
}

TEST(EnergyTimeline, BeforeAndAfterAllWindowsThereIsNothing) {
  const std::vector windows{window(10, 20, 1.0)};
  const EnergyTimeline timeline(windows, Nanoseconds{0});

  EXPECT_EQ(timeline.share(at(0), at(9)).energy, Joules{0});
  EXPECT_EQ(timeline.share(at(21), at(30)).covered, Nanoseconds{0});
  EXPECT_NEAR(timeline.share(at(0), at(30)).energy.value(), 1.0, 1e-12);
  EXPECT_EQ(timeline.share(at(15), at(12)).energy, Joules{0});
  EXPECT_EQ(EnergyTimeline({}, Nanoseconds{0}).share(at(0), at(1)).covered, Nanoseconds{0});
}

TEST(EnergyTimeline, ItsStampErrorIsTheRootMeanSquareOfItsWindows) {
  std::vector windows{window(0, 10, 1.0), window(10, 20, 1.0), window(20, 30, 1.0)};
  EXPECT_EQ(EnergyTimeline(windows, Nanoseconds{400}).stamp_error(), Nanoseconds{400});
  windows[1].stamp_error_ns = 700;
  windows[2].stamp_error_ns = 400;
  EXPECT_EQ(EnergyTimeline(windows, Nanoseconds{100}).stamp_error(),
            Nanoseconds{469});  // √((100² + 700² + 400²) / 3)
  EXPECT_EQ(EnergyTimeline({}, Nanoseconds{100}).stamp_error(), Nanoseconds{100});
}

TEST(EnergyTimeline, OverlappingWindowsAddUp) {
  const std::vector windows{window(0, 10, 1.0), window(5, 15, 2.0)};
  const EnergyTimeline timeline(windows, Nanoseconds{0});

  const EnergyShare share = timeline.share(at(0), at(15));
  EXPECT_NEAR(share.energy.value(), 3.0, 1e-12);
  EXPECT_EQ(share.covered, milliseconds{15});
  EXPECT_NEAR(timeline.share(at(5), at(10)).energy.value(), 0.5 + 1.0, 1e-12);
}

TEST(EnergyTimeline, RejectsInvalidWindows) {
  const std::vector windows{window(0, 10, 1.0), window(10, 10, 1.0), window(12, 11, 1.0),
                            window(12, 13, std::numeric_limits<double>::quiet_NaN()),
                            window(13, 14, std::numeric_limits<double>::infinity())};
  const EnergyTimeline timeline(windows, Nanoseconds{0});

  EXPECT_EQ(timeline.rejected_windows(), 4U);
  EXPECT_NEAR(timeline.share(at(0), at(20)).energy.value(), 1.0, 1e-12);
}

TEST(EnergyTimeline, ConstantPowerWithoutStampErrorIsCertain) {
  std::vector<EnergyWindow> windows;
  for (int index = 0; index < 10; ++index) {
    windows.push_back(window(index * 10, index * 10 + 10, 0.5));
  }
  const EnergyTimeline timeline(windows, Nanoseconds{0});
  EXPECT_NEAR(timeline.relative_spread(), 0.0, 1e-12);
  EXPECT_NEAR(timeline.share(at(3), at(57)).variance, 0.0, 1e-15);
}

TEST(EnergyTimeline, StampErrorWidensBothEdges) {
  const std::vector windows{window(0, 10, 0.5), window(10, 20, 0.5)};
  const EnergyTimeline timeline(windows, milliseconds{1});
  // 50 W × 1 ms at each edge, each of which lies on a window's edge: √2 × 0.05 J.
  EXPECT_NEAR(timeline.share(at(0), at(10)).variance, 2 * 0.05 * 0.05, 1e-12);
}

TEST(EnergyTimeline, SpreadBetweenWindowsWidensACutWindow) {
  const std::vector windows{window(0, 10, 0.4), window(10, 20, 0.6), window(20, 30, 0.4),
                            window(30, 40, 0.6)};
  const EnergyTimeline timeline(windows, Nanoseconds{0});
  // Power steps by 20 W each time: √(20²/2) = 14.142 W around 50 W.
  EXPECT_NEAR(timeline.relative_spread(), std::sqrt(200.0) / 50.0, 1e-12);
  const double bridge = 0.6 * timeline.relative_spread();
  EXPECT_NEAR(timeline.share(at(10), at(15)).variance, bridge * bridge * 0.25, 1e-12);
}

TEST(EnergyTimeline, ACursorChangesNothing) {
  std::mt19937_64 random{7};
  std::uniform_real_distribution<double> time{-5.0, 1005.0};
  std::vector<EnergyWindow> windows;
  for (int index = 0; index < 1000; index += 2) {
    windows.push_back(window(index, index + 1.5, 0.01 * (index % 7)));
  }
  const EnergyTimeline timeline(windows, Nanoseconds{1000});
  EnergyTimeline::Cursor cursor;
  for (int round = 0; round < 2000; ++round) {
    const Instant begin = at(time(random));
    const Instant end = begin + from_ms(std::abs(time(random)) / 20);
    const EnergyShare with = timeline.share(begin, end, cursor);
    const EnergyShare without = timeline.share(begin, end);
    EXPECT_EQ(with.energy, without.energy);
    EXPECT_EQ(with.covered, without.covered);
  }
}

TEST(EnergyTimeline, TheOrderOfWindowsDoesNotMatter) {
  std::mt19937_64 random{11};
  std::vector<EnergyWindow> windows;
  for (int index = 0; index < 200; ++index) {
    windows.push_back(window(index * 3, index * 3 + 2, 0.1 + 0.001 * index));
  }
  const EnergyTimeline sorted(windows, Nanoseconds{0});
  std::shuffle(windows.begin(), windows.end(), random);
  const EnergyTimeline shuffled(windows, Nanoseconds{0});
  EXPECT_EQ(sorted.share(at(17), at(401)).energy, shuffled.share(at(17), at(401)).energy);
}

}  // namespace
}  // namespace enprof
