#include "report/spread.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace enprof {
namespace {

using Values = std::vector<std::optional<double>>;

TEST(Spread, MeanDeviationAndInterval) {
  const auto spread = spread_of(Values{10.0, 12.0, 11.0, 13.0, 9.0});
  ASSERT_TRUE(spread);
  EXPECT_EQ(spread->count, 5U);
  EXPECT_DOUBLE_EQ(spread->mean, 11.0);
  EXPECT_DOUBLE_EQ(spread->least, 9.0);
  EXPECT_DOUBLE_EQ(spread->most, 13.0);
  EXPECT_NEAR(spread->standard_deviation.value_or(0.0), std::sqrt(2.5), 1e-12);
  // Student's t at 97.5 % for 4 degrees of freedom is 2.776.
  EXPECT_NEAR(spread->half_interval.value_or(0.0), 2.776445 * std::sqrt(2.5 / 5.0), 1e-5);
}

TEST(Spread, OneValueHasNoSpreadAndNoneHasNothing) {
  const auto one = spread_of(Values{7.0, std::nullopt});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->count, 1U);
  EXPECT_DOUBLE_EQ(one->mean, 7.0);
  EXPECT_FALSE(one->standard_deviation);
  EXPECT_FALSE(one->half_interval);
  EXPECT_FALSE(spread_of(Values{std::nullopt, std::nullopt}));
  EXPECT_FALSE(spread_of(Values{}));
}

TEST(Spread, AnOutlierIsNamedByItsPlaceAmongAllValues) {
  const auto outliers = outliers_of(Values{10.0, std::nullopt, 10.2, 9.9, 15.0, 10.1, 10.0});
  ASSERT_EQ(outliers.size(), 1U);
  EXPECT_EQ(outliers[0].index, 4U);
  EXPECT_GT(outliers[0].distance, 3.5 / 0.6745);
}

TEST(Spread, FewOrNearlyEqualValuesHaveNoOutliers) {
  EXPECT_TRUE(outliers_of(Values{10.0, 10.0, 10.0, 99.0}).empty());
  EXPECT_TRUE(outliers_of(Values{10.0, 10.0, 10.0, 10.0, 10.05}).empty());
  EXPECT_TRUE(outliers_of(Values{10.0, 11.0, 12.0, 9.0, 8.0}).empty());
}

TEST(Spread, WhereMostAreEqualAnotherValueIsAnOutlier) {
  const auto outliers = outliers_of(Values{10.0, 10.0, 10.0, 10.0, 12.0});
  ASSERT_EQ(outliers.size(), 1U);
  EXPECT_EQ(outliers[0].index, 4U);
  EXPECT_TRUE(std::isinf(outliers[0].distance));
}

}  // namespace
}  // namespace enprof
