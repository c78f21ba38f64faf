#include "experiment/analysis/least_squares.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace enprof {
namespace {

TEST(LeastSquares, ALineByHand) {
  // x = 0, 1, 2; y = 1, 2, 4: slope 1.5, intercept 5/6, squares 1/6.
  const auto fit = fit_least_squares({{1, 0}, {1, 1}, {1, 2}}, std::vector{1.0, 2.0, 4.0},
                                     std::vector{1.0, 1.0, 1.0});
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->coefficients[0], 5.0 / 6.0, 1e-12);
  EXPECT_NEAR(fit->coefficients[1], 1.5, 1e-12);
  EXPECT_NEAR(fit->squares, 1.0 / 6.0, 1e-12);
  EXPECT_DOUBLE_EQ(fit->freedom, 1.0);
  // The slope's variance is s² / Σ(x − mean)² = (1/6) / 2.
  EXPECT_NEAR(fit->error_of(1).value_or(0.0), std::sqrt(1.0 / 12.0), 1e-12);
  // In the middle the line's variance is s² / n.
  EXPECT_NEAR(fit->error_at(std::vector{1.0, 1.0}).value_or(0.0), std::sqrt(1.0 / 18.0), 1e-12);
  EXPECT_NEAR(fit->at(std::vector{1.0, 4.0}), 5.0 / 6.0 + 6.0, 1e-12);
}

TEST(LeastSquares, APreciseValueCountsMore) {
  const auto fit = fit_least_squares({{1}, {1}}, std::vector{1.0, 2.0}, std::vector{1.0, 2.0});
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->coefficients[0], 1.2, 1e-12);  // weights 1 and 1/4
}

TEST(LeastSquares, AsManyCoefficientsAsValuesHaveNoError) {
  const auto fit =
      fit_least_squares({{1, 0}, {1, 1}}, std::vector{1.0, 2.0}, std::vector{1.0, 1.0});
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->coefficients[1], 1.0, 1e-12);
  EXPECT_FALSE(fit->error_of(1));
  EXPECT_FALSE(fit->scale());
  EXPECT_FALSE(aicc_of(*fit));
}

TEST(LeastSquares, WhatDoesNotDetermineTheCoefficientsHasNoFit) {
  const std::vector<double> ones{1.0, 1.0, 1.0};
  EXPECT_FALSE(fit_least_squares({{1, 2}, {1, 2}, {1, 2}}, ones, ones));
  EXPECT_FALSE(fit_least_squares({{1, 0}, {1, 0}, {1, 0}}, ones, ones));
  EXPECT_FALSE(fit_least_squares({{1, 2}}, ones, ones));
  EXPECT_FALSE(fit_least_squares({}, {}, {}));
  EXPECT_FALSE(fit_least_squares({{1}, {1}}, std::vector{1.0, std::nan("")}, ones));
}

TEST(LeastSquares, RegressorsOfManySizesAreTold) {
  // Bytes in billions beside layers in tens.
  std::vector<std::vector<double>> rows;
  std::vector<double> values;
  for (int each = 1; each <= 6; ++each) {
    rows.push_back({1e9 * each, 10.0 + each * each});
    values.push_back(1e-12 * rows.back()[0] + 1e-6 * rows.back()[1]);
  }
  const auto fit = fit_least_squares(rows, values, values);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->coefficients[0], 1e-12, 1e-18);
  EXPECT_NEAR(fit->coefficients[1], 1e-6, 1e-12);
}

TEST(LeastSquares, AkaikesCriterionByHand) {
  // n = 6, one coefficient and the scale: 6 ln(squares / 6) + 4 + 2·2·3/3.
  const auto fit =
      fit_least_squares({{1}, {1}, {1}, {1}, {1}, {1}}, std::vector{1.0, 3.0, 1.0, 3.0, 1.0, 3.0},
                        std::vector(6, 1.0));
  ASSERT_TRUE(fit);
  EXPECT_NEAR(aicc_of(*fit).value_or(0.0), 6.0 * std::log(1.0) + 4.0 + 4.0, 1e-12);
}

}  // namespace
}  // namespace enprof
