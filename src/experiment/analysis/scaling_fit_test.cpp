#include "experiment/analysis/scaling_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace enprof {
namespace {

const std::vector<double> kXs{1.0, 2.0, 4.0, 8.0, 16.0, 32.0};

std::vector<double> scattered(double (*of)(double), double share) {
  std::vector<double> ys;
  double sign = 1.0;
  for (const double x : kXs) {
    ys.push_back(of(x) * (1.0 + sign * share));
    sign = -sign;
  }
  return ys;
}

const CurveFit& chosen_of(const ScalingFit& fit) { return fit.curves.at(fit.chosen.value()); }

TEST(ScalingFit, FindsTheLawThatMadeTheValues) {
  const auto line =
      fit_scaling(kXs, scattered([](double x) { return 3.0 + 0.5 * x; }, 0.005)).value();
  EXPECT_EQ(chosen_of(line).kind, CurveKind::linear);
  EXPECT_NEAR(chosen_of(line).coefficients[1], 0.5, 0.01);
  EXPECT_FALSE(line.second);
  const auto law =
      fit_scaling(kXs, scattered([](double x) { return 2.0 * std::pow(x, 0.7); }, 0.005)).value();
  EXPECT_EQ(chosen_of(law).kind, CurveKind::power_law);
  EXPECT_NEAR(chosen_of(law).coefficients[1], 0.7, 0.01);
  EXPECT_NEAR(chosen_of(law).scatter.value_or(0.0), 0.005, 0.002);
  const auto flat = fit_scaling(kXs, scattered([](double) { return 7.0; }, 0.005)).value();
  EXPECT_EQ(chosen_of(flat).kind, CurveKind::constant);
  EXPECT_NEAR(chosen_of(flat).coefficients[0], 7.0, 0.02);
}

TEST(ScalingFit, ExactValuesHaveResidualsOfZero) {
  std::vector<double> ys;
  for (const double x : kXs) {
    ys.push_back(5.0 * std::pow(x, 1.5));
  }
  const auto fit = fit_scaling(kXs, ys).value();
  const CurveFit& curve = chosen_of(fit);
  EXPECT_EQ(curve.kind, CurveKind::power_law);
  EXPECT_NEAR(curve.coefficients[0], 5.0, 1e-9);
  EXPECT_NEAR(curve.coefficients[1], 1.5, 1e-9);
  ASSERT_EQ(curve.residuals.size(), kXs.size());
  for (const double residual : curve.residuals) {
    EXPECT_NEAR(residual, 0.0, 1e-9);
  }
}

TEST(ScalingFit, FewPointsAreFittedButNotJudged) {
  const std::vector<double> xs{1.0, 2.0, 4.0};
  const auto fit = fit_scaling(xs, std::vector{2.0, 3.1, 5.0});
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->curves.size(), 3U);
  EXPECT_FALSE(fit->chosen);
  EXPECT_FALSE(fit_scaling(std::vector{1.0, 2.0, 2.0}, std::vector{2.0, 3.0, 3.0}));
}

TEST(ScalingFit, CurvesThatFitAboutEquallyAreNamed) {
  // Over a short range a line and a power law are alike.
  const std::vector<double> xs{10.0, 11.0, 12.0, 13.0, 14.0};
  const std::vector<double> ys{10.1, 10.9, 12.1, 12.9, 14.1};
  const auto fit = fit_scaling(xs, ys).value();
  EXPECT_TRUE(fit.chosen);
  EXPECT_TRUE(fit.second);
}

TEST(ScalingFit, IntervalsHoldTheTruth) {
  std::mt19937 random(7);
  std::normal_distribution<double> noise(0.0, 0.03);
  int held = 0;
  constexpr int kTurns = 1000;
  for (int turn = 0; turn < kTurns; ++turn) {
    std::vector<double> ys;
    for (const double x : kXs) {
      ys.push_back((3.0 + 0.5 * x) * (1.0 + noise(random)));
    }
    const auto line = fit_line(kXs, ys).value();
    held += std::abs(line.at(20.0) - 13.0) <= line.half_at(20.0).value() ? 1 : 0;
  }
  EXPECT_GE(held, 930);
  EXPECT_LE(held, 970);
}

}  // namespace
}  // namespace enprof
