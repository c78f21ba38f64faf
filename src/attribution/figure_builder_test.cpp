#include "attribution/figure_builder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace enprof {
namespace {

using std::chrono::milliseconds;

Domain domain(std::string_view name, std::string_view source, Method method = Method::measured) {
  Domain result = domain_from_name(name);
  result.source = source;
  result.method = method;
  return result;
}

EnergyShare share(double joules, Nanoseconds covered, double windows = 10, double variance = 0) {
  return {.energy = Joules{joules}, .covered = covered, .windows = windows, .variance = variance};
}

TEST(FigureBuilder, TotalIsBaselinePlusDynamic) {
  const Domain package = domain("package-0", "rapl");
  const std::vector<RootDomain> roots{{.domain = &package, .idle_power = Watts{10}}};
  FigureBuilder builder(roots);
  builder.add(milliseconds{100}, std::vector{share(5.0, milliseconds{100}, 10, 0.0004)});
  const Figure figure = builder.build();

  EXPECT_EQ(figure.total, Joules{5.0});
  EXPECT_NEAR(figure.baseline->value(), 1.0, 1e-12);
  EXPECT_NEAR(figure.dynamic->value(), 4.0, 1e-12);
  EXPECT_NEAR(figure.mean_power->value(), 50.0, 1e-12);
  EXPECT_EQ(figure.quality.sensor, "rapl");
  EXPECT_EQ(figure.quality.method, Method::attributed);
  EXPECT_DOUBLE_EQ(figure.quality.coverage, 1.0);
  EXPECT_DOUBLE_EQ(*figure.quality.resolution, 10.0);
  EXPECT_NEAR(figure.quality.standard_error->value(), 0.02, 1e-12);
}

TEST(FigureBuilder, TheBaselinesErrorIsPartOfTheDynamicPartsOnly) {
  const Domain package = domain("package-0", "rapl");
  const Domain dram = domain("dram-0", "rapl");
  // Spreads of 2 W and 0.6 W over 16 and 9 windows: errors of 0.5 W and 0.2 W.
  std::vector<RootDomain> roots{
      {.domain = &package, .idle_power = Watts{10}, .idle_error = idle_error(Watts{2}, 16)},
      {.domain = &dram, .idle_power = Watts{3}, .idle_error = idle_error(Watts{0.6}, 9)}};
  const std::vector shares{share(50.0, milliseconds{1000}, 10, 0.01),
                           share(5.0, milliseconds{1000}, 10, 0.02)};
  FigureBuilder builder(roots);
  builder.add(milliseconds{1000}, shares);
  const Quality quality = builder.build().quality;
  EXPECT_NEAR(quality.standard_error->value(), std::sqrt(0.03), 1e-12);
  EXPECT_NEAR(quality.dynamic_standard_error->value(), std::sqrt(0.03 + 0.25 + 0.04), 1e-12);

  roots[1].idle_error = idle_error(Watts{0.6}, 1);  // a single window has no spread
  FigureBuilder unknown(roots);
  unknown.add(milliseconds{1000}, shares);
  EXPECT_TRUE(unknown.build().dynamic);
  EXPECT_TRUE(unknown.build().quality.standard_error);
  EXPECT_FALSE(unknown.build().quality.dynamic_standard_error);
}

TEST(FigureBuilder, SpansAddedTogetherAreStillSeveral) {
  const Domain package = domain("package-0", "rapl");
  const std::vector<RootDomain> roots{{.domain = &package}};
  FigureBuilder builder(roots);
  builder.add(milliseconds{100}, std::vector{share(5.0, milliseconds{100}, 10, 0.0004)}, 4);
  EXPECT_EQ(builder.spans(), 4U);
  EXPECT_DOUBLE_EQ(*builder.build().quality.resolution, 2.5);
}

TEST(FigureBuilder, WithoutCoverageEverythingIsEmpty) {
  const Domain package = domain("package-0", "rapl");
  const std::vector<RootDomain> roots{{.domain = &package, .idle_power = Watts{10}}};
  FigureBuilder builder(roots);
  builder.add(milliseconds{100}, std::vector{EnergyShare{}});
  const Figure figure = builder.build();

  EXPECT_EQ(figure.duration, milliseconds{100});
  EXPECT_FALSE(figure.total);
  EXPECT_FALSE(figure.baseline);
  EXPECT_FALSE(figure.dynamic);
  EXPECT_FALSE(figure.mean_power);
  EXPECT_FALSE(figure.quality.method);
  EXPECT_FALSE(figure.quality.standard_error);
  EXPECT_DOUBLE_EQ(figure.quality.coverage, 0.0);
}

TEST(FigureBuilder, WithoutRootsEverythingIsEmpty) {
  FigureBuilder builder({});
  builder.add(milliseconds{100}, {});
  EXPECT_FALSE(builder.build().total);
}

TEST(FigureBuilder, RootsAddUpAndAMissingOneLowersCoverage) {
  const Domain package = domain("package-0", "rapl");
  const Domain gpu = domain("gpu-0", "nvml");
  const std::vector<RootDomain> roots{{.domain = &package}, {.domain = &gpu}};
  FigureBuilder both(roots);
  both.add(milliseconds{100},
           std::vector{share(5.0, milliseconds{100}), share(20.0, milliseconds{100}, 2)});
  EXPECT_EQ(both.build().total, Joules{25.0});
  EXPECT_NEAR(both.build().mean_power->value(), 250.0, 1e-9);
  EXPECT_EQ(both.build().quality.sensor, "rapl+nvml");
  EXPECT_DOUBLE_EQ(*both.build().quality.resolution, 2.0);
  EXPECT_FALSE(both.build().baseline);  // no idle power was measured

  FigureBuilder half(roots);
  half.add(milliseconds{100}, std::vector{share(5.0, milliseconds{100}), EnergyShare{}});
  EXPECT_EQ(half.build().total, Joules{5.0});
  EXPECT_DOUBLE_EQ(half.build().quality.coverage, 0.5);
  EXPECT_EQ(half.build().quality.sensor, "rapl");
}

TEST(FigureBuilder, AnEstimateIsCalledOneAndClaimsNoError) {
  const Domain cpu = domain("cpu", "estimate", Method::estimated);
  const std::vector<RootDomain> roots{{.domain = &cpu}};
  FigureBuilder builder(roots);
  builder.add(milliseconds{100}, std::vector{share(5.0, milliseconds{100}, 1000)});
  EXPECT_EQ(builder.build().quality.method, Method::estimated);
  EXPECT_FALSE(builder.build().quality.standard_error);
}

TEST(FigureBuilder, ManyWindowsASpanAreAMeasurement) {
  const Domain package = domain("package-0", "rapl");
  const std::vector<RootDomain> roots{{.domain = &package}};
  FigureBuilder one(roots);
  one.add(milliseconds{100}, std::vector{share(5.0, milliseconds{100}, 300)});
  EXPECT_EQ(one.build().quality.method, Method::measured);
  one.add(milliseconds{100}, std::vector{share(5.0, milliseconds{100}, 20)});
  EXPECT_EQ(one.build().quality.method, Method::attributed);  // 160 per span
  EXPECT_EQ(one.build().total, Joules{10.0});
  EXPECT_EQ(one.build().duration, milliseconds{200});
}

TEST(FigureBuilder, TheUncertaintyCombinesAttributionAndTheSensorsScale) {
  Domain package = domain("package-0", "rapl");
  package.relative_uncertainty = 0.05;
  const std::vector<RootDomain> roots{
      {.domain = &package, .idle_power = Watts{10}, .idle_error = Watts{0.5}}};
  FigureBuilder builder(roots);
  builder.add(milliseconds{1000}, std::vector{share(50.0, milliseconds{1000}, 10, 0.04)});
  const Quality quality = builder.build().quality;
  EXPECT_NEAR(quality.standard_error->value(), 0.2, 1e-12) << "attribution alone";
  EXPECT_NEAR(quality.standard_uncertainty->value(), std::hypot(0.2, 0.05 * 50), 1e-12);
  EXPECT_NEAR(quality.sensor_uncertainty()->value(), 0.05 * 50, 1e-12);
  EXPECT_NEAR(quality.dynamic_standard_uncertainty->value(),
              std::sqrt(0.04 + 0.25 + std::pow(0.05 * 40, 2)), 1e-12);
}

TEST(FigureBuilder, DomainsOfOneSourceErrTogetherAndSourcesByThemselves) {
  std::vector<Domain> domains{domain("package-0", "rapl"), domain("package-1", "rapl"),
                              domain("gpu-0", "nvml")};
  std::vector<RootDomain> roots;
  for (Domain& each : domains) {
    each.relative_uncertainty = 0.1;
    roots.push_back({.domain = &each});
  }
  const std::vector shares{share(30.0, milliseconds{100}), share(10.0, milliseconds{100}),
                           share(50.0, milliseconds{100})};
  FigureBuilder builder(roots);
  builder.add(milliseconds{100}, shares);
  EXPECT_NEAR(builder.build().quality.standard_uncertainty->value(), std::hypot(4.0, 5.0), 1e-12);

  domains[2].relative_uncertainty.reset();
  EXPECT_FALSE(builder.build().quality.standard_uncertainty)
      << "an accuracy that is not known is not zero";
  EXPECT_TRUE(builder.build().quality.standard_error);
}

}  // namespace
}  // namespace enprof
