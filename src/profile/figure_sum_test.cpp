#include "profile/figure_sum.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Figure measured(Nanoseconds duration, double joules, double error, double coverage = 1.0) {
  return {.duration = duration,
          .total = Joules{joules},
          .quality = {.sensor = "rapl",
                      .method = Method::measured,
                      .coverage = coverage,
                      .resolution = 2.0,
                      .standard_error = Joules{error}}};
}

TEST(FigureSum, EnergiesAddUpAndErrorsAddAsSquares) {
  FigureSum sum;
  sum.add(measured(1s, 10.0, 3.0), 1);
  Figure shared = measured(1s, 20.0, 4.0);
  shared.quality.method = Method::attributed;
  shared.quality.resolution = 0.5;
  sum.add(shared, 3);
  const Figure figure = sum.build();
  EXPECT_EQ(figure.duration, 2s);
  EXPECT_DOUBLE_EQ(figure.total->value(), 30.0);
  EXPECT_DOUBLE_EQ(figure.mean_power->value(), 15.0);
  EXPECT_DOUBLE_EQ(figure.quality.standard_error->value(), 5.0);
  EXPECT_EQ(figure.quality.method, Method::attributed);  // the weaker of the two
  EXPECT_DOUBLE_EQ(*figure.quality.resolution, (2.0 + 3 * 0.5) / 4);
  EXPECT_EQ(figure.quality.sensor, "rapl");
}

TEST(FigureSum, WhatWasNotMeasuredIsMissingFromTheCoverageNotZero) {
  FigureSum sum;
  sum.add({.duration = 1s}, 1);
  EXPECT_FALSE(sum.build().total);
  sum.add(measured(1s, 10.0, 1.0, 0.5), 1);
  const Figure figure = sum.build();
  EXPECT_EQ(figure.duration, 2s);
  EXPECT_DOUBLE_EQ(figure.quality.coverage, 0.25);
  EXPECT_DOUBLE_EQ(figure.mean_power->value(), 20.0);  // over the half second that is covered
}

TEST(FigureSum, AnErrorThatNobodyKnowsMakesTheSumsUnknown) {
  FigureSum sum;
  sum.add(measured(1s, 10.0, 1.0), 1);
  Figure estimated = measured(1s, 10.0, 1.0);
  estimated.quality.standard_error.reset();
  sum.add(estimated, 1);
  EXPECT_FALSE(sum.build().quality.standard_error);
}

}  // namespace
}  // namespace enprof
