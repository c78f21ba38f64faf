#include "enprof/base/units.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

TEST(Units, PowerTimesDurationIsEnergy) {
  EXPECT_DOUBLE_EQ((Watts{50.0} * 200ms).value(), 10.0);
  EXPECT_DOUBLE_EQ((Joules{10.0} / 200ms).value(), 50.0);
  EXPECT_DOUBLE_EQ(Joules{3.0} / Joules{2.0}, 1.5);
}

TEST(Units, EdgesConvertBothWays) {
  EXPECT_DOUBLE_EQ(to_mj(Joules{1.5}), 1500.0);
  EXPECT_DOUBLE_EQ(from_mj(1500.0).value(), 1.5);
  EXPECT_DOUBLE_EQ(to_mw(Watts{0.25}), 250.0);
  EXPECT_DOUBLE_EQ(from_mw(250.0).value(), 0.25);
  EXPECT_DOUBLE_EQ(to_ms(1500us), 1.5);
  EXPECT_EQ(from_ms(1.5), 1500us);
  EXPECT_EQ(from_ms(-1.5), -1500us);
}

// The predecessor divided millijoules by 3.6e6 and so charged a thousand times too much.
TEST(Units, AKilowattHourIsThreePointSixMegajoules) {
  EXPECT_DOUBLE_EQ(to_kwh(Joules{3.6e6}), 1.0);
  EXPECT_DOUBLE_EQ(to_kwh(from_mj(3.6e9)), 1.0);
}

}  // namespace
}  // namespace enprof
