#include "experiment/forecast.hpp"

#include "experiment/run_labels.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace enprof {
namespace {

TEST(Forecast, PowerIsThatOfThePairedTTest) {
  // Differences with a standard deviation of one, shifted by it: noncentrality √n. From tables of
  // the one-sample t test at 5 %, two-sided: n = 10 → 0.803, n = 20 → 0.989.
  const double spread = 1.0 / std::sqrt(2.0);
  EXPECT_NEAR(detection_power(spread, 10, 1.0), 0.803, 0.001);
  EXPECT_NEAR(detection_power(spread, 20, 1.0), 0.989, 0.001);
  EXPECT_NEAR(detection_power(spread, 10, 0.0), 0.05, 1e-6) << "of nothing, the false alarms";
  EXPECT_EQ(detection_power(spread, 1, 1.0), 0.0);
  EXPECT_EQ(detection_power(0.0, 5, 0.01), 1.0);
  EXPECT_NEAR(detection_power(1e-6, 5, 0.5), 1.0, 1e-9);
  EXPECT_NEAR(detection_power(0.02, 5, -0.02), detection_power(0.02, 5, 0.02), 1e-12);
}

TEST(Forecast, TheSmallestDifferenceHasThatPower) {
  for (const int repeats : {2, 5, 30}) {
    const auto smallest = smallest_difference(0.02, repeats, 0.8);
    ASSERT_TRUE(smallest);
    EXPECT_NEAR(detection_power(0.02, repeats, *smallest), 0.8, 1e-6);
  }
  EXPECT_FALSE(smallest_difference(0.02, 1, 0.8));
}

ProfiledRun run_of(const std::string& point, int round, double joules) {
  ProfiledRun run;
  run.status = RunStatus::completed;
  run.experiment = "x";
  run.model.path = "/models/a.gguf";
  run.model.threads = 2;
  run.tags = {make_tag(kPointTag, point), make_tag(kRoundTag, std::to_string(round))};
  run.totals.energy_per_output_token = Joules{joules};
  run.totals.prefill_tokens_per_second = 100.0;
  run.totals.decode_tokens_per_second = 10.0;
  return run;
}

TEST(Forecast, SpreadIsThatOfEarlierPoints) {
  std::vector<ProfiledRun> history;
  for (int round = 1; round <= 4; ++round) {
    const double sign = round % 2 == 0 ? 1.0 : -1.0;
    history.push_back(run_of("p", round, 10.0 + 0.1 * sign));
    history.push_back(run_of("q", round, 20.0 + 0.2 * sign));
  }
  const auto spread = forecast_spread({"other/a.gguf"}, history);
  ASSERT_TRUE(spread);
  EXPECT_NEAR(*spread, 0.01 * std::sqrt(4.0 / 3.0), 1e-9) << "the points' own difference is none";
  EXPECT_FALSE(forecast_spread({"b.gguf"}, history));
  history.resize(4);
  EXPECT_FALSE(forecast_spread({"a.gguf"}, history)) << "too few of a point";
}

TEST(Forecast, TimeFollowsFromTheModelsSpeeds) {
  const std::vector<ProfiledRun> history{run_of("p", 1, 1.0)};
  const ExperimentPoint point{.model = "a.gguf", .prompt_tokens = 200, .output_tokens = 31};
  EXPECT_NEAR(forecast_time(point, history).value_or(0.0), 2.0 + 3.0, 1e-9);
  EXPECT_FALSE(forecast_time({.model = "b.gguf"}, history));
}

}  // namespace
}  // namespace enprof
