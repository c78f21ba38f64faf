#include "experiment/point_summary.hpp"

#include "experiment/run_labels.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <string>
#include <vector>

namespace enprof {
namespace {

ProfiledRun run_of(double joules, int round, const std::vector<VerdictReason>& reasons = {}) {
  ProfiledRun run;
  run.status = RunStatus::completed;
  run.tags = {make_tag(kRoundTag, std::to_string(round))};
  run.totals.energy_per_output_token = Joules{joules};
  run.totals.decode_tokens_per_second = 10.0 / joules;
  run.verdict_reasons = reasons;
  run.verdict = reasons.empty() ? VerdictLevel::quotable : reasons.front().level;
  return run;
}

TEST(PointSummary, AnIntervalHasSpreadAndScale) {
  const PointMean spread = mean_of_runs({9.0, 10.0, 11.0}, {0.0, 0.0, 0.0}, 0.0);
  EXPECT_DOUBLE_EQ(spread.mean, 10.0);
  // t of 2 degrees of freedom, at 95 %.
  EXPECT_NEAR(spread.half.value_or(0.0), 4.302653 / std::sqrt(3.0), 1e-5);
  EXPECT_NEAR(spread.half_without_scale.value_or(0.0), *spread.half, 1e-12);
  const PointMean both = mean_of_runs({9.0, 10.0, 11.0}, {0.0, 0.0, 0.0}, 0.05);
  EXPECT_GT(*both.half, 1.96 * 0.5);
  EXPECT_LT(*both.half, *spread.half + 1.96 * 0.5);
  EXPECT_NEAR(*both.half_without_scale, *spread.half, 1e-12) << "the scale is not repeated";
  // Runs that happen to agree are not exact: they share the scale's error.
  const PointMean alike = mean_of_runs({10.0, 10.0, 10.0}, {0.0, 0.0, 0.0}, 0.05);
  EXPECT_NEAR(*alike.half, 1.95996 * 0.5, 1e-4);
}

TEST(PointSummary, RunsThatAgreeAreNoMoreCertainThanEachOfThemAllows) {
  const PointMean mean = mean_of_runs({10.0, 10.0, 10.0, 10.0}, {0.2, 0.2, 0.2, 0.2}, 0.0);
  EXPECT_NEAR(*mean.half, 1.95996 * 0.1, 1e-5);
}

TEST(PointSummary, OneRunHasNoInterval) {
  const PointMean mean = mean_of_runs({10.0}, {0.1}, 0.05);
  EXPECT_EQ(mean.mean, 10.0);
  EXPECT_FALSE(mean.half) << "it says nothing of the spread";
}

TEST(PointSummary, EstimatesAreShownAndMarked) {
  const VerdictReason estimate{VerdictLevel::not_comparable, "estimate", "an estimate"};
  PointResult result;
  for (int round = 1; round <= 3; ++round) {
    result.runs.push_back(run_of(2.0, round, {estimate}));
  }
  const PointSummary summary = summary_of(result);
  EXPECT_TRUE(summary.has_figures());
  EXPECT_EQ(summary.used, 3U);
  ASSERT_TRUE(summary.mean(kOutputTokenMeasure));
  EXPECT_TRUE(summary.mean(kOutputTokenMeasure)->is_estimate);
  EXPECT_FALSE(summary.mean(kDecodeSpeedMeasure)->is_estimate) << "times are measured";
  EXPECT_EQ(summary.verdict, VerdictLevel::not_comparable);
}

TEST(PointSummary, DisturbedRunsAreCountedAndInNoMean) {
  PointResult result;
  result.runs = {run_of(2.0, 1), run_of(2.0, 2),
                 run_of(9.0, 2, {{VerdictLevel::not_comparable, "foreign_load", "load"}})};
  const PointSummary summary = summary_of(result);
  EXPECT_EQ(summary.runs, 3U);
  EXPECT_EQ(summary.used, 2U);
  EXPECT_EQ(summary.disturbed, 1U);
  EXPECT_DOUBLE_EQ(summary.mean(kOutputTokenMeasure)->mean, 2.0);
}

TEST(PointSummary, APointWithoutAUsableRunHasNoFigures) {
  PointResult result;
  result.runs = {run_of(9.0, 1, {{VerdictLevel::not_comparable, "foreign_load", "load"}})};
  EXPECT_FALSE(summary_of(result).has_figures());
  EXPECT_FALSE(summary_of(PointResult{}).has_figures());
}

}  // namespace
}  // namespace enprof
