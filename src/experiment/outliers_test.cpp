#include "experiment/outliers.hpp"

#include "experiment/run_labels.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;

ProfiledRun run_of(double speed, int round) {
  ProfiledRun run;
  run.status = RunStatus::completed;
  run.tags = {make_tag(kRoundTag, std::to_string(round))};
  run.totals.decode_tokens_per_second = speed;
  return run;
}

std::vector<ProfiledRun> runs_of(const std::vector<double>& speeds) {
  std::vector<ProfiledRun> runs;
  for (const double speed : speeds) {
    runs.push_back(run_of(speed, static_cast<int>(runs.size()) + 1));
  }
  return runs;
}

TEST(Outliers, ARunThatIsFarFromTheOthersIsOne) {
  EXPECT_THAT(find_outliers(runs_of({100, 101, 99, 100, 60, 100})),
              ElementsAre(false, false, false, false, true, false));
}

TEST(Outliers, NoisyRunsHaveNone) {
  EXPECT_THAT(find_outliers(runs_of({100, 130, 80, 110, 70, 120})),
              ElementsAre(false, false, false, false, false, false));
}

TEST(Outliers, RunsThatAreAlikeMayDifferALittle) {
  EXPECT_THAT(find_outliers(runs_of({100, 100, 100, 100, 104, 100})),
              ElementsAre(false, false, false, false, false, false));
}

TEST(Outliers, FewRunsAreNotJudged) {
  EXPECT_THAT(find_outliers(runs_of({100, 100, 100, 50})), ElementsAre(false, false, false, false));
}

TEST(Outliers, WhatIsMeasuredAgainAndAgainStands) {
  auto runs = runs_of({100, 101, 99, 100, 100, 101, 60});
  runs.push_back(run_of(61, 7));
  EXPECT_TRUE(find_outliers(runs)[6]);
  runs.push_back(run_of(60, 7));
  const auto outliers = find_outliers(runs);
  EXPECT_FALSE(outliers[6] || outliers[7] || outliers[8]) << "the machine says it three times";
}

TEST(Outliers, DisturbedRunsAreNoneAndDoNotCount) {
  auto runs = runs_of({100, 100, 100, 100, 40, 40});
  for (const std::size_t index : {4U, 5U}) {
    runs[index].verdict_reasons = {{VerdictLevel::not_comparable, "foreign_load", "load"}};
  }
  const auto outliers = find_outliers(runs);
  EXPECT_FALSE(outliers[4] || outliers[5]);
  EXPECT_THAT(find_counted(runs), ElementsAre(true, true, true, true, false, false));
}

TEST(Outliers, OfNothingThereAreNone) { EXPECT_TRUE(find_outliers({}).empty()); }

}  // namespace
}  // namespace enprof
