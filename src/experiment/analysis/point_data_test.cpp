#include "experiment/analysis/point_data.hpp"

#include "experiment/analysis/analysis_test_support.hpp"
#include "experiment/point_quality.hpp"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using testing::data_of;
using ::testing::ElementsAre;
using testing::facts_of;
using ::testing::HasSubstr;
using testing::MadeUpPoint;
using testing::refuse;
using testing::runs_of;

TEST(PointData, HoldsMeansWithTheirIntervals) {
  const ExperimentData data =
      data_of({{.label = "a.gguf p512 n128 ub8", .model = facts_of(2, 128)}});
  ASSERT_EQ(data.points.size(), 1U);
  const PointData& point = data.points.front();
  EXPECT_EQ(point.runs, 5U);
  EXPECT_EQ(point.used, 5U);
  EXPECT_NEAR(point.output_energy->value, 1.0, 1e-12);
  // Scatter −0.002 … +0.002 in five steps: deviation 0.001581, t(4) = 2.776.
  EXPECT_NEAR(point.output_energy->half().value(), 2.776 * 0.0015811 / std::sqrt(5.0), 1e-5);
  EXPECT_EQ(point.micro_batch, 8);
  EXPECT_EQ(point.parallel, std::nullopt);
  EXPECT_EQ(point.settings(), "p512 n128 ub8");
  EXPECT_DOUBLE_EQ(point.decode_context(), 512.0 + 64.0);
  EXPECT_TRUE(point.no_energy.empty());
}

TEST(PointData, ASpreadBelowTheRunsOwnErrorIsChance) {
  auto runs = runs_of({.label = "a p1 n2", .model = facts_of(2, 128), .scatter = 0.0});
  for (ProfiledRun& run : runs) {
    for (PhaseFigure& phase : run.phases) {
      phase.figure.quality.standard_error = 0.01 * *phase.figure.total;
    }
  }
  const ExperimentData data = experiment_data("weekly", std::move(runs));
  EXPECT_NEAR(data.points.front().output_energy->half().value(), 1.96 * 0.01 / std::sqrt(5.0),
              1e-4);
}

TEST(PointData, OneRunHasNoInterval) {
  const ExperimentData data =
      data_of({{.label = "a p1 n2", .model = facts_of(2, 128), .repeats = 1}});
  EXPECT_FALSE(data.points.front().output_energy->half());
}

TEST(PointData, RunsThatAreNotComparableAreInNoMean) {
  auto runs = runs_of({.label = "a p1 n2", .model = facts_of(2, 128)});
  refuse(runs[0], "foreign_load");
  runs[0].totals.energy_per_output_token = Joules{100.0};
  const ExperimentData some = experiment_data("weekly", runs);
  EXPECT_EQ(some.points.front().used, 4U);
  EXPECT_LT(some.points.front().output_energy->value, 1.1);
  for (ProfiledRun& run : runs) {
    refuse(run, "estimate");
  }
  const ExperimentData none = experiment_data("weekly", runs);
  EXPECT_FALSE(none.points.front().output_energy);
  EXPECT_TRUE(none.points.front().output_speed);  // a time is not estimated
  EXPECT_EQ(none.points.front().no_energy, "because of estimate");
  const ExperimentData estimates = experiment_data("weekly", runs, {.estimates = true});
  EXPECT_TRUE(estimates.has_estimates);
  EXPECT_TRUE(estimates.points.front().output_energy);
}

TEST(PointData, TheDesignSaysWhatIsMissing) {
  const std::string design =
      R"({"models":["a.gguf","b.gguf"],"prompt_tokens":[512],"output_tokens":[128],)"
      R"("threads":[1,2],"batches":[0],"micro_batches":[0],"gpu_layers":[-1],"repeats":3,"seed":0})";
  auto runs = runs_of({.label = "a.gguf p512 n128 t2", .model = facts_of(2, 128), .repeats = 3});
  auto fewer = runs_of({.label = "a.gguf p512 n128 t1", .model = facts_of(2, 128), .repeats = 2});
  auto failed = runs_of({.label = "b.gguf p512 n128 t1", .model = facts_of(2, 128), .repeats = 1});
  failed[0].status = RunStatus::failed;
  std::ranges::move(fewer, std::back_inserter(runs));
  std::ranges::move(failed, std::back_inserter(runs));
  runs.front().tags.push_back(make_tag(kDesignTag, design));
  const ExperimentData data = experiment_data("weekly", std::move(runs));
  EXPECT_THAT(data.missing, ElementsAre("b.gguf p512 n128 t1", "b.gguf p512 n128 t2"));
  ASSERT_EQ(data.points.size(), 3U);
  EXPECT_EQ(data.points[0].label, "a.gguf p512 n128 t1");  // as the design has it
  EXPECT_EQ(data.points[2].no_energy, "no run of it is completed");
  EXPECT_THAT(data.notes, ElementsAre(HasSubstr("1 point has fewer than 3 rounds")));
}

TEST(PointData, ADesignThatCannotBeReadIsTold) {
  auto runs = runs_of({.label = "a p1 n2", .model = facts_of(2, 128)});
  runs.front().tags.push_back(make_tag(kDesignTag, "{"));
  const ExperimentData data = experiment_data("weekly", std::move(runs));
  EXPECT_THAT(data.notes, ElementsAre(HasSubstr("Which points are missing is not known")));
  EXPECT_EQ(data.points.size(), 1U);
}

TEST(PointData, HoldsTheUncertaintyBudget) {
  const ExperimentData data = data_of({{.label = "a p1 n2", .model = facts_of(2, 128)}});
  const UncertaintyBudget& budget = data.points.front().budget;
  EXPECT_NEAR(budget.spread.value(), 0.0015811 / std::sqrt(5.0), 1e-6);
  EXPECT_NEAR(budget.scale.value(), 0.05, 1e-3);  // run_of() has a sensor of 5 %
  EXPECT_NEAR(budget.combined().value(), 0.05, 1e-3);
}

TEST(PointData, TagsSayTheQualityOfTheAnswers) {
  auto runs = runs_of({.label = "a p1 n2", .model = facts_of(2, 128), .repeats = 2});
  runs[0].tags.emplace_back("quality={");
  runs[1].tags.emplace_back(
      make_tag(kQualityTag, quality_to_json({.perplexity = 7.5, .perplexity_error = 0.25})));
  const ExperimentData data = experiment_data("weekly", std::move(runs));
  EXPECT_DOUBLE_EQ(data.points.front().perplexity.value().value, 7.5);
  EXPECT_EQ(data.points.front().perplexity.value().error, 0.25);
  EXPECT_FALSE(data.points.front().kl_divergence);
}

TEST(PointData, SettingsOfALabel) {
  EXPECT_EQ(label_setting("my model.gguf p8 n4 ub16", "ub"), 16);
  EXPECT_EQ(label_setting("my model.gguf p8 n4 ngl-1", "ngl"), -1);
  EXPECT_EQ(label_setting("a.gguf p8 n4 np4", "n"), 4);
  EXPECT_EQ(label_setting("a.gguf p8 n4 np4", "np"), 4);
  EXPECT_EQ(label_setting("q8", "q"), std::nullopt);  // the model's name
  EXPECT_EQ(label_setting("a.gguf p99999999999", "p"), std::nullopt);
  EXPECT_EQ(label_setting("", "p"), std::nullopt);
}

TEST(PointData, ComponentsAreMeansPerOutputToken) {
  auto runs =
      runs_of({.label = "a p1 n2", .model = facts_of(2, 128), .output_tokens = 11, .repeats = 2});
  for (ProfiledRun& run : runs) {
    const auto part = [](Phase phase, int layer, const char* name, double joules) {
      ComponentFigure figure{.phase = phase, .layer = layer, .component = name};
      figure.figure.total = Joules{joules};
      return figure;
    };
    run.components = {
        part(Phase::decode, 0, "attention", 1.0), part(Phase::decode, 1, "attention", 1.0),
        part(Phase::decode, 0, "up_proj", 6.0), part(Phase::prefill, 0, "up_proj", 50.0)};
  }
  const ExperimentData data = experiment_data("weekly", std::move(runs));
  const auto& components = data.points.front().components;
  ASSERT_EQ(components.size(), 2U);
  EXPECT_EQ(components[0].component, "up_proj");
  EXPECT_DOUBLE_EQ(components[0].energy.value, 0.6);  // ten tokens are decoded
  EXPECT_DOUBLE_EQ(components[1].share.value, 0.25);
  EXPECT_TRUE(data.points.front().all_runs.front().components.empty());
}

}  // namespace
}  // namespace enprof
