#include "experiment/analysis/stored_experiment.hpp"

#include "experiment/analysis/analysis_test_support.hpp"
#include "experiment/analysis/trend_analysis.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <variant>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using testing::facts_of;
using ::testing::HasSubstr;
using testing::MadeUpPoint;

class StoredExperiment : public ::testing::Test {
 protected:
  void save(const std::string& experiment, int day, const MadeUpPoint& point,
            const std::string& machine = "mine") {
    for (ProfiledRun& run : testing::runs_of(point)) {
      run.run_id = fmt::format("{:016x}", ++count_);
      run.experiment = experiment;
      run.started_at = WallTime{std::chrono::hours{24 * day} + std::chrono::seconds{count_}};
      run.tags.push_back(make_tag(kMachineTag, machine));
      run.tags.push_back(fmt::format("commit=c{}", day));
      run.phases.clear();  // the made-up phases are not those of the run
      const auto saved = database_.save_run(run);
      ASSERT_TRUE(saved) << saved.error().message;
    }
  }

  const testing::TempDir dir_;
  ProfileDatabase database_ = ProfileDatabase::connect(dir_.path() / "profiles.db").value();
  int count_ = 0;
};

TEST_F(StoredExperiment, ATrendIsAPointInAllExperimentsOfAMachine) {
  MadeUpPoint point{.label = "a p512 n128", .model = facts_of(2, 128), .repeats = 3};
  save("monday", 1, point);
  point.output_joules = 2.0;
  save("tuesday", 2, point);
  save("elsewhere", 2, point, "other");
  save("tuesday", 2, {.label = "b p512 n128", .model = facts_of(2, 128), .repeats = 3});
  const auto trend = experiment_trend(database_, "tuesday").value();
  ASSERT_EQ(trend.points.size(), 2U);
  EXPECT_EQ(trend.points[0].point, "a p512 n128");
  ASSERT_EQ(trend.points[0].entries.size(), 2U);
  EXPECT_EQ(trend.points[0].entries[0].experiment, "monday");
  EXPECT_EQ(trend.points[0].entries[0].commit, "c1");
  EXPECT_NEAR(trend.points[0].entries[1].point.output_energy->value, 2.0, 1e-9);
  EXPECT_EQ(trend.points[1].entries.size(), 1U);
  EXPECT_EQ(trend.on_other_machines, 3U);
  EXPECT_FALSE(trend.is_cut);
  EXPECT_TRUE(experiment_trend(database_, "tuesday", {}, 2).value().is_cut);
}

TEST_F(StoredExperiment, ATrendComparesEachExperimentWithTheOneBefore) {
  MadeUpPoint point{.label = "a p512 n128", .model = facts_of(2, 128), .repeats = 5};
  save("monday", 1, point);
  point.output_joules = 1.1;
  save("tuesday", 2, point);
  point.output_joules = 1.1001;  // within the spread
  save("thursday", 4, point);
  const Analysis found = analyze_trend(experiment_trend(database_, "tuesday").value());
  EXPECT_EQ(found.name, kTrendAnalysis);
  EXPECT_THAT(
      found.answers,
      ElementsAre(HasSubstr("a p512 n128: thursday (c4) is not shown to differ from tuesday")));
  ASSERT_EQ(found.tables.size(), 1U);
  const auto& rows = found.tables[0].rows;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(std::get<std::string>(rows[1][1].value), "tuesday");
  EXPECT_NEAR(std::get<double>(rows[1][3].value), 0.1, 1e-9);
  EXPECT_LT(rows[1][3].half.value(), 0.02);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(rows[0][3].value));
  ASSERT_EQ(found.charts.size(), 1U);
  EXPECT_NEAR(found.charts[0].series.at(0).points.at(2).x, 3.0, 0.01);
}

TEST_F(StoredExperiment, OneExperimentHasNoTrend) {
  save("weekly", 1, {.label = "a p1 n2", .model = facts_of(2, 128), .repeats = 3});
  const Analysis found = analyze_trend(experiment_trend(database_, "weekly").value());
  EXPECT_FALSE(found.has_result());
  EXPECT_THAT(found.lacks, ElementsAre(HasSubstr("two experiments on this machine")));
}

TEST_F(StoredExperiment, AnUnknownNameIsToldWithTheOneThatIsMeant) {
  save("weekly", 1, {.label = "a p1 n2", .model = facts_of(2, 128), .repeats = 1});
  const auto runs = runs_to_analyze(database_, "weekyl");
  ASSERT_FALSE(runs);
  EXPECT_EQ(runs.error().code, ErrorCode::not_found);
  EXPECT_THAT(runs.error().hint, HasSubstr("Did you mean weekly?"));
  EXPECT_FALSE(experiment_trend(database_, "weekyl"));
  EXPECT_EQ(runs_to_analyze(database_, "weekly").value().size(), 1U);
}

}  // namespace
}  // namespace enprof
