#include "report/repeats.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

Repeat repeat(std::string run_id, double joules, Nanoseconds duration = 1s) {
  return {.run_id = std::move(run_id),
          .status = RunStatus::completed,
          .ended = "exit code 0",
          .exit_code = 0,
          .verdict = VerdictLevel::quotable,
          .method = Method::attributed,
          .duration = duration,
          .energy = Joules{joules},
          .dynamic = std::nullopt,
          .process_dynamic = std::nullopt,
          .mean_power = Joules{joules} / duration,
          .peak_power = std::nullopt};
}

std::vector<Repeat> five_and_an_outlier() {
  std::vector<Repeat> repeats;
  for (const double joules : {50.0, 51.0, 49.0, 50.5, 90.0, 49.5}) {
    repeats.push_back(repeat("0123456789abcde" + std::to_string(repeats.size()), joules));
  }
  return repeats;
}

TEST(Repeats, MeanSpreadAndOutliers) {
  const std::string text = repeats_report("make -j8", five_and_an_outlier(), 6, {});
  for (const char* part : {"make -j8", "6 of 6", "quotable", "56.67 J", "49.00 J", "90.00 J",
                           "run 5 (01234567): total 90.00 J"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("token")));
}

TEST(Repeats, WhatWasNotCompletedIsNamedAndLeftOut) {
  std::vector<Repeat> repeats{repeat("aaaaaaaaaaaaaaaa", 10.0), repeat("bbbbbbbbbbbbbbbb", 99.0),
                              repeat("cccccccccccccccc", 12.0)};
  repeats[1].status = RunStatus::failed;
  repeats[1].ended = "exit code 9";
  repeats[1].verdict = VerdictLevel::not_comparable;
  const std::string text = repeats_report("x", repeats, 5, {});
  for (const char* part : {"3 of 5; 2 completed", "run 2 (bbbbbbbb): exit code 9", "11.00 J",
                           "not comparable; enprof show RUN"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("99.00 J")));
}

TEST(Repeats, AbsentIsNeverZeroAndEstimatesAreMarked) {
  std::vector<Repeat> repeats{repeat("aaaaaaaaaaaaaaaa", 10.0), repeat("bbbbbbbbbbbbbbbb", 12.0)};
  for (Repeat& each : repeats) {
    each.method = Method::estimated;
  }
  EXPECT_THAT(repeats_report("x", repeats, 2, {}), HasSubstr("~11.00 J"));
  EXPECT_THAT(repeat_line(repeats[0]), HasSubstr("~10.00 J"));
  for (Repeat& each : repeats) {
    each.energy.reset();
    each.mean_power.reset();
  }
  const std::string text = repeats_report("x", repeats, 2, {});
  EXPECT_THAT(text, HasSubstr("–"));
  EXPECT_THAT(text, Not(HasSubstr("0 J")));
  EXPECT_EQ(repeat_line(repeats[0]), "1.000 s · exit code 0");
}

TEST(Repeats, JsonHasTheStatisticsAndEachRun) {
  const auto json = nlohmann::json::parse(repeats_json({"make", "-j8"}, five_and_an_outlier(), 6));
  EXPECT_EQ(json["command"], nlohmann::json::array({"make", "-j8"}));
  EXPECT_EQ(json["asked"], 6);
  EXPECT_EQ(json["runs"].size(), 6U);
  EXPECT_EQ(json["runs"][0]["energy_mj"], 50'000.0);
  EXPECT_TRUE(json["runs"][0]["dynamic_energy_mj"].is_null());
  const auto& energy = json["statistics"]["energy_mj"];
  EXPECT_NEAR(energy["mean"].get<double>(), 340'000.0 / 6, 1e-6);
  EXPECT_EQ(energy["count"], 6);
  EXPECT_EQ(energy["outliers"], nlohmann::json::array({"0123456789abcde4"}));
  EXPECT_TRUE(json["statistics"]["dynamic_energy_mj"].is_null());
}

TEST(Repeats, OneRunHasNoSpread) {
  const auto json =
      nlohmann::json::parse(repeats_json({"x"}, {repeat("aaaaaaaaaaaaaaaa", 10.0)}, 3));
  EXPECT_EQ(json["statistics"]["energy_mj"]["mean"], 10'000.0);
  EXPECT_TRUE(json["statistics"]["energy_mj"]["standard_deviation"].is_null());
}

}  // namespace
}  // namespace enprof
