#include "report/run_list.hpp"

#include "report/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

namespace enprof {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

RunList list_of(std::optional<Method> method, std::optional<Joules> energy) {
  RunSummary run;
  run.run_id = "0123456789abcdef";
  run.model = "m.gguf";
  run.energy = energy;
  run.method = method;
  if (energy) {
    run.energy_per_output_token = *energy / 10.0;
  }
  return {.runs = {run}, .total = 1};
}

TEST(RunList, BothEnergiesOfAnEstimateAreMarked) {
  const std::string text = run_list(list_of(Method::estimated, Joules{25.0}), {}, {});
  EXPECT_THAT(text, HasSubstr(" ~25.00 J"));
  EXPECT_THAT(text, HasSubstr(" ~2.500 J"));
}

TEST(RunList, WhatWasMeasuredOrIsAbsentHasNoMark) {
  EXPECT_THAT(run_list(list_of(Method::measured, Joules{25.0}), {}, {}), Not(HasSubstr("~")));
  EXPECT_THAT(run_list(list_of(Method::estimated, std::nullopt), {}, {}), Not(HasSubstr("~")));
}

TEST(RunList, ACommandHasNoTokens) {
  RunList list = list_of(Method::measured, Joules{25.0});
  list.runs[0].engine = "exec";
  list.runs[0].model = "make";
  list.runs[0].prompt = "make -j8";
  list.runs[0].energy_per_output_token.reset();
  EXPECT_THAT(run_list(list, {}, {.width = 160}),
              ::testing::ContainsRegex("make +– +– +25.00 J +–"));
}

TEST(RunList, NamesCannotDriveTheTerminal) {
  RunList list = list_of(Method::measured, Joules{25.0});
  list.runs[0].model = "evil\x1b[2J\n";
  EXPECT_THAT(run_list(list, {}, {}), HasSubstr(" evil\\x1b[2J\\n "));
}

TEST(RunList, IsALineARunOnEveryTerminal) {
  RunList list = list_of(Method::estimated, Joules{1234.5});
  list.runs[0].model = "Meta-Llama-3.1-8B-Instruct-漢字-Q4_K_M.gguf";
  list.runs[0].prompt = "Why is the sky blue, and the grass green? " + std::string(200, 'x');
  list.runs[0].prompt_tokens = 12345;
  list.runs[0].output_tokens = 4096;
  list.runs[0].warnings = 3;
  list.runs.push_back(list.runs[0]);
  list.runs[1].status = RunStatus::interrupted;
  list.total = 2;
  for (std::size_t width = 40; width <= 200; ++width) {
    const std::string text = run_list(list, {}, {.width = width});
    EXPECT_EQ(std::ranges::count(text, '\n'), 3) << text;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(display_width(line), width) << text;
    }
    EXPECT_THAT(text, HasSubstr("01234567")) << width;
    EXPECT_THAT(text, HasSubstr("~1.234 kJ")) << width;
    EXPECT_THAT(text, HasSubstr("Meta-Llam")) << width;
    EXPECT_THAT(text, HasSubstr("inter")) << width;
  }
  EXPECT_THAT(run_list(list, {}, {.width = 80}), HasSubstr("1970-01-01 00:00"));
  EXPECT_THAT(run_list(list, {}, {.width = 140}),
              AllOf(HasSubstr("1970-01-01 00:00:00 UTC"), HasSubstr("\"Why is")));
}

}  // namespace
}  // namespace enprof
