#include "experiment/analysis/experiment_page.hpp"

#include "experiment/analysis/analysis_test_support.hpp"
#include "experiment/analysis/repeat_commands.hpp"
#include "experiment/design.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace enprof {
namespace {

using testing::data_of;
using ::testing::ElementsAre;
using testing::facts_of;
using ::testing::HasSubstr;
using testing::MadeUpPoint;
using ::testing::Not;

ExperimentData hostile() {
  std::vector<MadeUpPoint> points;
  for (const std::size_t prompt : {100U, 200U, 400U, 800U, 1600U}) {
    points.push_back({.label = fmt::format("<script>alert(1)</script>.gguf p{} n2", prompt),
                      .model = facts_of(2, 128),
                      .output_joules = 1.0 + 0.001 * static_cast<double>(prompt),
                      .prompt_tokens = prompt,
                      .output_tokens = 2});
  }
  ExperimentData data = data_of(points);
  data.name = "a\"b<i>";
  data.machines = {"<img src=x onerror=alert(1)>"};
  return data;
}

TEST(ExperimentPage, NeedsNothingAndRunsNothing) {
  const ExperimentData data = hostile();
  const std::string page = experiment_page(data, analyze(data));
  EXPECT_THAT(page, HasSubstr("<svg class=\"chart\""));
  EXPECT_THAT(page, HasSubstr("Uncertainty budget"));
  EXPECT_THAT(page, HasSubstr("enprof report"));
  for (const char* const forbidden :
       {"<script", "<img", "<i>", "http://", "https://", "<link", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(forbidden))) << forbidden;
  }
}

TEST(ExperimentPage, AnExperimentWithoutRunsIsAPageToo) {
  const ExperimentData data = experiment_data("empty", {});
  const std::string page = experiment_page(data, analyze(data));
  EXPECT_THAT(page, HasSubstr("No answer: no point has a run"));
  EXPECT_THAT(page, Not(HasSubstr("<svg")));
}

TEST(RepeatCommands, AreTheDesigns) {
  EXPECT_THAT(
      repeat_commands(
          "my exp",
          design_to_json({.blocks = {{.models = {"a b.gguf", "c.gguf"}, .prompt_tokens = {8, 16}}},
                          .repeats = 7,
                          .seed = 3})),
      ElementsAre("enprof bench -m 'a b.gguf,c.gguf' -p 8,16 -r 7 --seed 3 --experiment "
                  "'my exp-again'",
                  "enprof compare 'my exp' 'my exp-again'", "enprof report 'my exp'"));
  EXPECT_EQ(repeat_commands("x", design_to_json({.blocks = {{.models = {"a"}, .parallel = {1, 2}}},
                                                 .precision = 0.01}))[0],
            "enprof bench -m a --np 1,2 -r 5 --precision 1% --seed 0 --experiment x-again");
}

TEST(RepeatCommands, WhatFlagsCannotSayIsAPlan) {
  const std::string two =
      design_to_json({.blocks = {{.models = {"a"}}, {.models = {"b"}, .threads = {2}}}});
  const std::string named = design_to_json({.blocks = {{.name = "story", .models = {"a"}}}});
  for (const std::string& design : {std::string{}, std::string{"{"}, two, named}) {
    EXPECT_THAT(repeat_commands("x", design)[0], HasSubstr("enprof bench PLAN")) << design;
  }
}

}  // namespace
}  // namespace enprof
