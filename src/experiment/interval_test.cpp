#include "experiment/interval.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace enprof {
namespace {

TEST(Interval, AChangeOfIndependentSetsByHand) {
  const std::array<double, 3> a{9.0, 10.0, 11.0};
  const std::array<double, 3> b{18.0, 20.0, 22.0};
  const ChangeInterval change = independent_change(a, b, 0.95);
  EXPECT_DOUBLE_EQ(change.change, 1.0);
  // The ratio is 2; both sides have a relative standard error of 0.1/√3, so that of the ratio is
  // 2 · 0.1 · √(2/3); the two parts are equal, which gives 4 degrees of freedom.
  EXPECT_NEAR(change.freedom, 4.0, 1e-9);
  EXPECT_NEAR(change.half.value_or(0.0), 2.776 * 0.2 * std::sqrt(2.0 / 3.0), 1e-3);
}

TEST(Interval, SetsWithoutSpreadHaveAnIntervalOfZero) {
  const std::array<double, 2> a{10.0, 10.0};
  const std::array<double, 2> b{11.0, 11.0};
  const ChangeInterval change = independent_change(a, b, 0.95);
  EXPECT_NEAR(change.change, 0.1, 1e-12);
  EXPECT_NEAR(change.half.value_or(1.0), 0.0, 1e-12);
}

TEST(Interval, OneValueOnASideLeavesTheSpreadUnknown) {
  const std::array<double, 1> a{10.0};
  const std::array<double, 2> b{11.0, 12.0};
  EXPECT_FALSE(independent_change(a, b, 0.95).half);
  EXPECT_FALSE(independent_change(b, a, 0.95).half);
}

TEST(Interval, DriftThatBothOfAPairHaveCancels) {
  std::vector<std::pair<double, double>> pairs;
  std::vector<double> a;
  std::vector<double> b;
  for (int round = 0; round < 10; ++round) {
    const double drift = 1.0 + 0.05 * round;
    const double noise = round % 2 == 0 ? 0.001 : -0.001;
    pairs.emplace_back(10.0 * drift, 10.2 * drift * (1.0 + noise));
    a.push_back(pairs.back().first);
    b.push_back(pairs.back().second);
  }
  const ChangeInterval paired = paired_change(pairs, 0.95);
  EXPECT_NEAR(paired.change, 0.02, 0.001);
  EXPECT_LT(paired.half.value_or(1.0), 0.002);
  EXPECT_GT(independent_change(a, b, 0.95).half.value_or(0.0), 0.1);
}

}  // namespace
}  // namespace enprof
