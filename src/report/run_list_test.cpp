#include "report/run_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

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

TEST(RunList, NamesCannotDriveTheTerminal) {
  RunList list = list_of(Method::measured, Joules{25.0});
  list.runs[0].model = "evil\x1b[2J\n";
  EXPECT_THAT(run_list(list, {}, {}), HasSubstr(" evil\\x1b[2J\\n "));
}

}  // namespace
}  // namespace enprof
