#include "experiment/analysis/analysis.hpp"

#include "experiment/analysis/analysis_json.hpp"
#include "experiment/analysis/analysis_report.hpp"
#include "experiment/analysis/analysis_test_support.hpp"
#include "experiment/analysis/architecture_analysis.hpp"
#include "experiment/analysis/batch_analysis.hpp"
#include "experiment/analysis/context_analysis.hpp"
#include "experiment/analysis/mixtures_analysis.hpp"
#include "experiment/analysis/model_work.hpp"
#include "experiment/analysis/pareto_analysis.hpp"
#include "experiment/analysis/prediction_analysis.hpp"
#include "experiment/analysis/quantization_analysis.hpp"
#include "experiment/analysis/scaling_analysis.hpp"
#include "report/format.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::Contains;
using testing::data_of;
using testing::facts_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MadeUpPoint;
using testing::mixture_of;
using ::testing::Not;
using testing::says;

double number(const AnalysisTable& table, std::size_t row, std::string_view key) {
  for (std::size_t index = 0; index < table.columns.size(); ++index) {
    if (table.columns[index].key == key) {
      return std::get<double>(table.rows.at(row)[index].value);
    }
  }
  throw std::out_of_range(std::string{key});
}

/// Tokens of 100 J whose cost grows by 10 mJ with each position.
ExperimentData contexts() {
  std::vector<MadeUpPoint> points;
  for (const std::size_t prompt : {100U, 200U, 400U, 800U, 1600U}) {
    points.push_back({.label = fmt::format("a.gguf p{} n100", prompt),
                      .model = facts_of(2, 128),
                      .output_joules = 100.0 + 0.01 * (static_cast<double>(prompt) + 50.0),
                      .prompt_tokens = prompt,
                      .output_tokens = 100});
  }
  return data_of(points);
}

TEST(Analysis, TheSlopeOverTheContextIsAttentionsShare) {
  const Analysis analysis = analyze_context(contexts());
  EXPECT_THAT(analysis.answers,
              Contains(HasSubstr("each thousand positions of context add 10.00")));
  EXPECT_TRUE(says(analysis.lacks, "--depth module"));
  ASSERT_EQ(analysis.tables.size(), 1U);
  EXPECT_NEAR(number(analysis.tables[0], 4, "share_by_slope"), 16.5 / 116.5, 1e-6);
}

TEST(Analysis, ComponentsSayAttentionsShareToo) {
  std::vector<ProfiledRun> runs;
  for (ProfiledRun& run : testing::runs_of({.label = "a p1 n2", .model = facts_of(2, 128)})) {
    const auto part = [](const char* name, double joules) {
      ComponentFigure figure{.phase = Phase::decode, .layer = 0, .component = name};
      figure.figure.total = Joules{joules};
      return figure;
    };
    run.components = {part("attention", 2.0), part("kv_cache_store", 1.0), part("q_proj", 3.0),
                      part("down_proj", 4.0)};
    runs.push_back(std::move(run));
  }
  const ExperimentData data = experiment_data("weekly", std::move(runs));
  const Analysis context = analyze_context(data);
  ASSERT_EQ(context.tables.size(), 1U);
  EXPECT_NEAR(number(context.tables[0], 0, "share_by_components"), 0.3, 1e-12);
  const Analysis architecture = analyze_architecture(data);
  EXPECT_TRUE(says(architecture.answers, "60 % of an output token is attention"));
  EXPECT_NEAR(number(architecture.tables[1], 0, "share"), 0.4, 1e-12);
}

TEST(Analysis, ScalingWithContextIsALine) {
  const Analysis analysis = analyze_scaling(contexts());
  EXPECT_TRUE(says(analysis.answers, "y = a + b x") ||
              says(analysis.answers, "for each of the positions"));
  EXPECT_TRUE(says(analysis.lacks, "parameters: no three points differ in it alone"));
}

TEST(Analysis, ScalingWithParametersIsAPowerLaw) {
  std::vector<MadeUpPoint> points;
  for (int layers = 2; layers <= 64; layers *= 2) {
    const ModelFacts facts = facts_of(layers, 512);
    points.push_back({.label = facts.name + " p512 n128",
                      .model = facts,
                      .output_joules = 1e-9 * std::pow(active_parameters(facts).value(), 1.2)});
  }
  const Analysis analysis = analyze_scaling(data_of(points));
  EXPECT_TRUE(says(analysis.answers, "grows with the power 1.2"));
  ASSERT_EQ(analysis.tables.size(), 2U);
  EXPECT_EQ(analysis.tables[1].rows.size(), points.size());  // a residual of each
}

TEST(Analysis, BatchDividesAPromptIntoPassesAndTokens) {
  // A pass costs 2 J, a token 0.01 J.
  std::vector<MadeUpPoint> points;
  for (const int at_a_time : {64, 128, 256, 512}) {
    const double passes = 512.0 / at_a_time;
    points.push_back({.label = fmt::format("a p512 n2 ub{}", at_a_time),
                      .model = facts_of(2, 128),
                      .input_joules = 0.01 + passes * 2.0 / 512.0});
  }
  const Analysis analysis = analyze_batch(data_of(points));
  ASSERT_EQ(analysis.tables.size(), 1U);
  EXPECT_NEAR(number(analysis.tables[0], 0, "marginal_energy"), 0.01, 1e-9);
  EXPECT_NEAR(number(analysis.tables[0], 0, "energy_per_pass"), 2.0, 1e-6);
  EXPECT_TRUE(says(analysis.answers, "from 200 on its own part is the larger one"));
  EXPECT_TRUE(says(analysis.lacks, "-np"));
}

TEST(Analysis, BatchToldBySequences) {
  // A step costs 5 J and 0.5 J for each sequence.
  std::vector<MadeUpPoint> points;
  for (const int sequences : {1, 2, 4, 8}) {
    points.push_back({.label = fmt::format("a p512 n2 np{}", sequences),
                      .model = facts_of(2, 128),
                      .output_joules = 5.0 / sequences + 0.5});
  }
  const Analysis analysis = analyze_batch(data_of(points));
  ASSERT_FALSE(analysis.tables.empty());
  EXPECT_NEAR(number(analysis.tables[0], 0, "marginal_energy"), 0.5, 1e-9);
  EXPECT_NEAR(number(analysis.tables[0], 0, "energy_per_pass"), 5.0, 1e-9);
}

TEST(Analysis, QuantizationComparesWithTheMostBits) {
  ExperimentData data =
      data_of({{.label = "q4.gguf p512 n128",
                .model = facts_of(2, 128, 4.5, "Q4_0"),
                .output_joules = 0.6,
                .tokens_per_second = 16.0},
               {.label = "q8.gguf p512 n128", .model = facts_of(2, 128, 8.5), .output_joules = 1.0},
               {.label = "other.gguf p512 n128", .model = facts_of(3, 128, 4.5, "Q4_0")}});
  const Analysis analysis = analyze_quantization(data);
  ASSERT_EQ(analysis.tables.size(), 1U);
  EXPECT_EQ(analysis.tables[0].rows.size(), 2U);  // another shape is another model
  EXPECT_NEAR(number(analysis.tables[0], 1, "change"), -0.4, 1e-9);
  EXPECT_TRUE(says(analysis.answers, "Q4_0 needs 40.0 % less"));
  EXPECT_TRUE(says(analysis.lacks, "cheaper may hide worse"));
  data.points[0].perplexity = QualityFigure{.value = 7.5, .error = 0.1};
  data.points[1].perplexity = QualityFigure{.value = 7.0, .error = 0.1};
  const Analysis judged = analyze_quantization(data);
  EXPECT_TRUE(says(judged.answers, "its perplexity is 7.5 instead of 7"));
  EXPECT_THAT(judged.lacks, IsEmpty());
}

TEST(Analysis, MixturesAreJudgedByWhatTheyUse) {
  const ModelFacts mixture = mixture_of(2, 128, 8);
  const ModelFacts dense = facts_of(2, 128);
  const Analysis analysis =
      analyze_mixtures(data_of({{.label = "moe.gguf p512 n128",
                                 .model = mixture,
                                 .output_joules = 2e-9 * active_parameters(mixture).value()},
                                {.label = "dense.gguf p512 n128",
                                 .model = dense,
                                 .output_joules = 1e-9 * active_parameters(dense).value()}}));
  EXPECT_TRUE(says(analysis.answers, "moe uses 2 of 8 experts"));
  EXPECT_TRUE(says(analysis.answers, "draws 2.000 nJ"));
  EXPECT_TRUE(says(analysis.answers, "Dense models with Q8_0 p512 n128 draw 1.000 nJ"));
  EXPECT_THAT(analysis.lacks, IsEmpty());
}

TEST(Analysis, PredictionNamesAModelThatDidNotRun) {
  std::vector<MadeUpPoint> points;
  for (const int layers : {4, 8, 12, 16, 24}) {
    const ModelFacts facts = facts_of(layers, 256);
    points.push_back({.label = facts.name + " p512 n128",
                      .model = facts,
                      .output_joules = 50e-12 * decode_work(facts, 576.0).value().bytes()});
  }
  const ModelFacts unknown = facts_of(32, 512);
  const Analysis analysis = analyze_prediction(data_of(points), {.unknown_models = {unknown}});
  EXPECT_TRUE(says(analysis.answers, "as good as promised"));
  ASSERT_FALSE(analysis.tables.empty());
  EXPECT_EQ(analysis.tables[0].title, "Predicted");
  const double wanted = 50e-12 * decode_work(unknown, 576.0).value().bytes();
  EXPECT_NEAR(number(analysis.tables[0], 0, "predicted_energy"), wanted, 0.02 * wanted);
}

TEST(Analysis, ParetoSaysWhoBeatsWhom) {
  const Analysis analysis = analyze_pareto(
      data_of({{.label = "a.gguf p512", .model = facts_of(2, 128), .output_joules = 1.0},
               {.label = "b.gguf p512",
                .model = facts_of(2, 128),
                .output_joules = 2.0,
                .tokens_per_second = 5.0}}));
  EXPECT_TRUE(says(analysis.answers, "1 of 2 points is on the front: a."));
  EXPECT_TRUE(says(analysis.answers, "faster and cheaper than b."));
}

// ---- bad input ----------------------------------------------------------------------------------

TEST(Analysis, WhatLacksDataSaysSoAndPrintsNoNumber) {
  auto refused = testing::runs_of({.label = "a p512 n128", .model = facts_of(2, 128)});
  for (ProfiledRun& run : refused) {
    testing::refuse(run, "estimate");
  }
  const std::vector<std::pair<std::string, ExperimentData>> inputs{
      {"nothing", experiment_data("weekly", {})},
      {"estimates", experiment_data("weekly", std::move(refused))}};
  for (const auto& [what, data] : inputs) {
    for (const Analysis& analysis : analyze(data)) {
      EXPECT_THAT(analysis.answers, IsEmpty()) << what << ": " << analysis.name;
      EXPECT_THAT(analysis.tables, IsEmpty()) << what << ": " << analysis.name;
      EXPECT_THAT(analysis.charts, IsEmpty()) << what << ": " << analysis.name;
      EXPECT_THAT(analysis.lacks, Not(IsEmpty())) << what << ": " << analysis.name;
    }
  }
  EXPECT_TRUE(says(analyze(inputs[1].second)[0].lacks, "because of estimate"));
}

TEST(Analysis, OnePointIsTooFewForMostQuestions) {
  const ExperimentData data = data_of({{.label = "a p512 n128", .model = facts_of(2, 128)}});
  for (const Analysis& analysis : analyze(data)) {
    EXPECT_FALSE(analysis.has_result()) << analysis.name;
    EXPECT_THAT(analysis.lacks, Not(IsEmpty())) << analysis.name;
  }
}

TEST(Analysis, RunsWithoutFactsAreNoCrash) {
  std::vector<MadeUpPoint> points;
  for (int each = 0; each < 6; ++each) {
    points.push_back({.label = fmt::format("played{}", each), .output_joules = 1.0 + each});
  }
  for (const Analysis& analysis : analyze(data_of(points))) {
    if (analysis.name != "pareto") {
      EXPECT_FALSE(analysis.has_result()) << analysis.name;
    }
  }
}

TEST(Analysis, OnlyThoseThatAreNamed) {
  const std::vector<std::string> names{"prediction", "pareto"};
  const auto some = analyze(contexts(), names);
  ASSERT_EQ(some.size(), 2U);
  EXPECT_EQ(some[0].name, "pareto");
  EXPECT_EQ(analyze(contexts()).size(), analysis_names().size());
}

TEST(Analysis, JsonHasUnitsInItsKeysAndNullForWhatIsAbsent) {
  const ExperimentData data = contexts();
  const Json json = experiment_to_json(data, analyze(data));
  EXPECT_EQ(json["points"].size(), 5U);
  EXPECT_NEAR(json["points"][0]["energy_per_output_token_mj"].get<double>(), 101'500.0, 1e-6);
  EXPECT_TRUE(json["points"][0]["perplexity"].is_null());
  const Json& table = json["analyses"][4]["tables"][0];
  EXPECT_EQ(table["columns"][2]["key"], "energy_per_output_token_mj");
  EXPECT_EQ(table["columns"][2]["half_key"], "energy_per_output_token_half_interval_mj");
  EXPECT_TRUE(table["columns"][3]["half_key"].is_null());
  EXPECT_TRUE(table["rows"][0]["share_by_components_pct"].is_null());
  EXPECT_TRUE(table["rows"][0]["share_by_slope_pct"].is_number());
}

TEST(Analysis, AReportFitsANarrowTerminal) {
  const ExperimentData data = contexts();
  const std::string text = analyses_report(data, analyze(data), {.width = 60});
  EXPECT_THAT(text, HasSubstr("context: How much"));
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(display_width(text.substr(at, end - at)), 60U) << text.substr(at, end - at);
    at = end + 1;
  }
}

}  // namespace
}  // namespace enprof
