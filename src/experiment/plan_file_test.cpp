#include "experiment/plan_file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <string>
#include <string_view>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Result<ExperimentPlan> plan(std::string_view text) { return parse_plan(text, "plan.toml", {}); }

Error error_of(std::string_view text) {
  const auto parsed = plan(text);
  EXPECT_FALSE(parsed) << text;
  return parsed ? Error{} : parsed.error();
}

TEST(PlanFile, SaysWhatOptionsCannot) {
  const auto read = plan(R"(
name = "quant"
repeats = 12
precision = "1.5%"
budget_s = 3600
seed = 7
tags = ["nightly", "quant"]
price_usd_per_kwh = 0.3

[settings]
prompt_tokens = "128-512*2"
output_tokens = 64

[quality]
text = "wiki.txt"
reference = "a-f16.gguf"
chunks = 4

[[points]]
name = "eight"
model = "a-q8.gguf"
threads = [1, "2-3"]

[[points]]
model = ["a-q4.gguf", "a-q2.gguf"]
cache_type_k = "q8_0"
flash_attention = true

[[exclude]]
model = "a-q2.gguf"
prompt_tokens = [128, 256]
)");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->design.name, "quant");
  EXPECT_EQ(read->design.repeats, 12);
  EXPECT_DOUBLE_EQ(read->design.precision.value_or(0.0), 0.015);
  EXPECT_EQ(read->budget_s, 3600.0);
  EXPECT_EQ(read->design.seed, 7U);
  EXPECT_THAT(read->tags, ElementsAre("nightly", "quant"));
  EXPECT_EQ(read->price_usd_per_kwh, 0.3);
  ASSERT_TRUE(read->design.quality);
  EXPECT_EQ(read->design.quality->chunks, 4);
  const auto points = read->design.points();
  ASSERT_EQ(points.size(), 3U * 3 + 3 + 1);
  EXPECT_EQ(points.front().label, "eight p128 t1");
  EXPECT_EQ(points.front().output_tokens, 64);
  EXPECT_EQ(points.back().label, "a-q2.gguf p512 n64 ctk=q8_0 fa=on");
}

TEST(PlanFile, SettingsAloneAreAPlan) {
  const auto read = plan("[settings]\nmodel = \"a.gguf\"\nthreads = \"1-2\"\n");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->design.points().size(), 2U);
}

TEST(PlanFile, APromptComesFromAFileBesideThePlan) {
  const testing::TempDir dir;
  const auto story = dir.write("story.txt", "once");
  const auto file =
      dir.write("plan.toml", "[[points]]\nmodel = \"a.gguf\"\nprompt_file = \"story.txt\"\n");
  const auto read = read_plan(file);
  ASSERT_TRUE(read) << read.error().message;
  const auto points = read->design.points();
  ASSERT_EQ(points.size(), 1U);
  EXPECT_EQ(points[0].prompt_file, story.string());
  EXPECT_EQ(points[0].label, "a.gguf story.txt n128");
}

TEST(PlanFile, ATypoHasItsPlaceAndASuggestion) {
  const Error error = error_of("repeats = 3\n\n[[points]]\nmodel = \"a.gguf\"\nthread = 2\n");
  EXPECT_EQ(error.code, ErrorCode::malformed);
  EXPECT_THAT(error.message, StartsWith("plan.toml:5:1: \"thread\" is not known here"));
  EXPECT_THAT(error.hint, HasSubstr("Did you mean 'threads'?"));
  const Error root = error_of("repeat = 3\n[settings]\nmodel = \"a\"\n");
  EXPECT_THAT(root.message, StartsWith("plan.toml:1:1: \"repeat\" is not known here"));
  EXPECT_THAT(root.hint, HasSubstr("'repeats'"));
  EXPECT_THAT(error_of("thread = 2\n[settings]\nmodel = \"a\"\n").hint,
              HasSubstr("'threads'? It belongs into [settings] or [[points]]"));
  const Error word = error_of("[settings]\nmodel = \"a\"\ncache_type_v = \"q8-0\"\n");
  EXPECT_THAT(word.message, StartsWith("plan.toml:3:16: cache_type_v: \"q8-0\" is not known"));
  EXPECT_THAT(word.hint, HasSubstr("'q8_0'"));
}

TEST(PlanFile, WhatIsNoTomlHasItsPlace) {
  const Error error = error_of("repeats = 3\nseed = = 4\n");
  EXPECT_THAT(error.message, StartsWith("plan.toml:2:"));
  EXPECT_THAT(error.hint, HasSubstr("docs/experiments.md"));
  EXPECT_EQ(error_of("a = 1\na = 2\n").code, ErrorCode::malformed);
}

TEST(PlanFile, WrongValuesAreRefusedWithTheirPlace) {
  struct Case {
    std::string_view text;
    std::string_view message;
  };
  constexpr std::string_view kModel = "[settings]\nmodel = \"a\"\n";
  for (const Case& each :
       {Case{"repeats = 0\n", "plan.toml:1:11: repeats is not a whole number from 1 to 10000"},
        Case{"repeats = \"ten\"\n", "repeats is not a whole number"},
        Case{"precision = \"very\"\n", "precision is not a percentage"},
        Case{"precision = 200\n", "precision is not a number from 0 to 100"},
        Case{"budget_s = nan\n", "budget_s is not a number"},
        Case{"tags = []\n", "tags is an empty list"},
        Case{"tags = [1]\n", "tags is not a text in quotes"},
        Case{"points = 3\n", "points is not a list of tables"},
        Case{"points = [3]\n", "an entry that is not a table"},
        Case{"settings = 3\n", "settings is not a table"},
        Case{"quality = 3\n", "quality is not a table"},
        Case{"[quality]\nchunks = 3\n", "quality names no text"},
        Case{"[[exclude]]\n", "excludes all points"}}) {
    const std::string text = std::string{each.text} + std::string{kModel};
    const Error error = error_of(each.text.starts_with("settings") ? each.text : text);
    EXPECT_THAT(error.message, HasSubstr(each.message)) << each.text;
  }
  EXPECT_THAT(error_of("").message, HasSubstr("The plan has no points"));
  EXPECT_THAT(error_of("[[points]]\nthreads = 1\n").message,
              HasSubstr("plan.toml:1:1: These points have no model"));
  EXPECT_THAT(error_of("[settings]\nmodel = \"a\"\nprompt_tokens = 0\n").message,
              HasSubstr("plan.toml:3:17: prompt_tokens: 0 is out of range"));
  EXPECT_THAT(
      error_of("[settings]\nmodel = \"a\"\nprompt_tokens = 1\nprompt_file = \"x\"\n").message,
      HasSubstr("exclude each other"));
}

TEST(PlanFile, PointsWithOneNameAreRefused) {
  EXPECT_THAT(error_of("[[points]]\nname = \"x\"\nmodel = \"a\"\n[[points]]\nname = \"x\"\n"
                       "model = \"b\"\n")
                  .message,
              HasSubstr("plan.toml:4:1: Two points are called x"));
  EXPECT_THAT(error_of("[settings]\nmodel = \"a\"\nprompt_file = [\"x/s\", \"y/s\"]\n").message,
              HasSubstr("Two points are called"));
}

TEST(PlanFile, AFileThatIsNoPlanIsRefused) {
  const testing::TempDir dir;
  EXPECT_EQ(read_plan(dir.path() / "missing.toml").error().code, ErrorCode::not_found);
  EXPECT_EQ(read_plan(dir.path()).error().code, ErrorCode::invalid_argument);
  const auto large = dir.write("large.toml", std::string(1'000'001, '#'));
  EXPECT_EQ(read_plan(large).error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace enprof
