#include "base/mean_interval.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace enprof {
namespace {

TEST(MeanInterval, CoverageFactorsAreThoseOfTheTables) {
  // JCGM 100:2008, table G.2.
  EXPECT_NEAR(coverage_factor(0.95, 1), 12.71, 0.005);
  EXPECT_NEAR(coverage_factor(0.95, 4), 2.78, 0.005);
  EXPECT_NEAR(coverage_factor(0.95, 9), 2.26, 0.005);
  EXPECT_NEAR(coverage_factor(0.99, 10), 3.17, 0.005);
  EXPECT_NEAR(coverage_factor(0.95, std::numeric_limits<double>::infinity()), 1.960, 0.0005);
}

TEST(MeanInterval, OneValueHasNone) {
  const std::array<double, 1> one{3.0};
  const MeanInterval mean = mean_interval(one, 0.95);
  EXPECT_DOUBLE_EQ(mean.mean, 3.0);
  EXPECT_FALSE(mean.half);
  EXPECT_FALSE(sample_moments(one).deviation);
  EXPECT_FALSE(sample_moments(one).standard_error());
}

TEST(MeanInterval, ByHand) {
  const std::array<double, 4> values{1.0, 2.0, 3.0, 4.0};
  const MeanInterval mean = mean_interval(values, 0.95);
  EXPECT_DOUBLE_EQ(mean.mean, 2.5);
  // s = sqrt(5/3), s/2 = 0.6455, t(3) = 3.182
  EXPECT_NEAR(mean.half.value_or(0.0), 2.054, 0.001);
  EXPECT_EQ(mean.count, 4U);
  const SampleMoments moments = sample_moments(values);
  EXPECT_DOUBLE_EQ(moments.deviation.value_or(0.0), std::sqrt(5.0 / 3.0));
  EXPECT_DOUBLE_EQ(moments.standard_error().value_or(0.0), 0.5 * std::sqrt(5.0 / 3.0));
}

}  // namespace
}  // namespace enprof
