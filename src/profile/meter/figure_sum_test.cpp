#include "profile/meter/figure_sum.hpp"

#include "attribution/figure_builder.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Figure measured(Nanoseconds duration, double joules, double error, double coverage = 1.0) {
  return {.duration = duration,
          .total = Joules{joules},
          .mean_power = Watts{joules / (coverage * seconds(duration))},
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

TEST(FigureSum, TheScaleOfASensorIsTheSameInAllSlices) {
  Figure slice = measured(1s, 10.0, 3.0);
  slice.quality.standard_uncertainty = Joules{5.0};  // of which the scale has 4 J
  FigureSum sum;
  sum.add(slice, 1);
  sum.add(slice, 1);
  EXPECT_NEAR(sum.build().quality.standard_uncertainty->value(), std::hypot(3.0, 3.0, 8.0), 1e-12);
  sum.add(measured(1s, 10.0, 3.0), 1);
  EXPECT_FALSE(sum.build().quality.standard_uncertainty);
}

TEST(FigureSum, UnknownEnergyLowersTheCoverageAndIsNotZero) {
  FigureSum sum;
  sum.add({.duration = 1s}, 1);
  EXPECT_FALSE(sum.build().total);
  sum.add(measured(1s, 10.0, 1.0, 0.5), 1);
  const Figure figure = sum.build();
  EXPECT_EQ(figure.duration, 2s);
  EXPECT_DOUBLE_EQ(figure.quality.coverage, 0.25);
  EXPECT_DOUBLE_EQ(figure.mean_power->value(), 20.0);  // over the half second that is covered
}

/// Slices of a run, with the shares of two root domains.
void expect_what_the_run_says(const std::vector<std::array<EnergyShare, 2>>& pieces) {
  const Domain package = domain_from_name("package-0");
  const Domain gpu = domain_from_name("gpu-0");
  const std::array<RootDomain, 2> roots{RootDomain{.domain = &package}, RootDomain{.domain = &gpu}};
  FigureBuilder run(roots);
  FigureSum sum;
  for (const auto& shares : pieces) {
    FigureBuilder piece(roots);
    piece.add(1s, shares);
    sum.add(piece.build(), 1);
    run.add(1s, shares);
  }
  const Figure expected = run.build();
  const Figure figure = sum.build();
  EXPECT_NEAR(figure.total->value(), expected.total->value(), 1e-9);
  EXPECT_NEAR(figure.mean_power->value(), expected.mean_power->value(), 1e-9);
  EXPECT_NEAR(figure.quality.coverage, expected.quality.coverage, 1e-9);
}

TEST(FigureSum, TheMeanPowerEqualsTheRuns) {
  const auto share = [](double joules, Nanoseconds covered) {
    return EnergyShare{.energy = Joules{joules}, .covered = covered, .windows = 10};
  };
  {
    SCOPED_TRACE("both roots are covered, by and by less");
    expect_what_the_run_says(
        {{share(50, 1s), share(100, 1s)}, {share(20, 500ms), share(60, 500ms)}});
  }
  {
    SCOPED_TRACE("one of them is silent");
    expect_what_the_run_says({{share(50, 1s), {}}, {share(70, 1s), {}}});
  }
  {
    SCOPED_TRACE("one of them is covered by half, and nothing is known of a piece");
    expect_what_the_run_says(
        {{share(50, 1s), share(30, 500ms)}, {}, {share(10, 400ms), share(9, 200ms)}});
  }
}

TEST(FigureSum, IfOneErrorIsUnknownSoIsTheSums) {
  FigureSum sum;
  sum.add(measured(1s, 10.0, 1.0), 1);
  Figure estimated = measured(1s, 10.0, 1.0);
  estimated.quality.standard_error.reset();
  sum.add(estimated, 1);
  EXPECT_FALSE(sum.build().quality.standard_error);
}

}  // namespace
}  // namespace enprof
