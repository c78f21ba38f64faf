#include "experiment/comparison.hpp"

#include "experiment/comparison_report.hpp"
#include "experiment/comparison_test_support.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Measure& output_token() { return *find_measure(kOutputTokenMeasure); }
const Measure& decode_speed() { return *find_measure(kDecodeSpeedMeasure); }
const Measure& above_idle() { return *find_measure(kAboveIdleMeasure); }

RunSet steady(double value) {
  return testing::set_of({value * 0.999, value, value * 1.001, value, value});
}

TEST(Comparison, RepeatsGiveAnIntervalOfTheirSpread) {
  const Comparison comparison = compare_sets(steady(1.0), steady(1.1));
  const MeasureChange& change = comparison.of(output_token());
  EXPECT_EQ(change.basis, Basis::repeats);
  EXPECT_NEAR(change.change.value_or(0.0), 0.1, 1e-9);
  EXPECT_GT(change.half.value_or(0.0), 0.0005);
  EXPECT_LT(change.half.value_or(1.0), 0.005);
  EXPECT_EQ(comparison.a.used, 5U);
  EXPECT_EQ(comparison.a.verdict, VerdictLevel::quotable);
}

TEST(Comparison, TheIntervalIsAtLeastWhatTheRunsLeaveUnknown) {
  const Comparison comparison =
      compare_sets(testing::set_of({1.0, 1.0}), testing::set_of({1.1, 1.1}));
  const double half = comparison.of(output_token()).half.value_or(0.0);
  // Each run is known to ± 0.1 %; two runs a side.
  EXPECT_NEAR(half, 1.96 * 0.001 * 1.1, 1e-5);
}

TEST(Comparison, SingleRunsSayWhatTheirMeasurementLeavesUnknown) {
  const Comparison comparison = compare_sets(testing::set_of({1.0}), testing::set_of({1.5}));
  const MeasureChange& change = comparison.of(output_token());
  EXPECT_EQ(change.basis, Basis::single);
  EXPECT_NEAR(change.half.value_or(0.0), 1.96 * 0.001 * 1.5 * std::sqrt(2.0), 1e-5);
  const MeasureChange& speed = comparison.of(decode_speed());
  EXPECT_FALSE(speed.half);
  EXPECT_THAT(speed.no_half, HasSubstr("one run"));
  const Ruling ruling = rule_on(comparison, output_token(), 0.02);
  EXPECT_EQ(ruling.judgement, Judgement::undecided) << "half as much again may be chance";
  EXPECT_THAT(ruling.reason, HasSubstr("one run on a side"));
}

TEST(Comparison, RunsOfOneExperimentAreComparedWithinTheirRounds) {
  RunSet a{.name = "a"};
  RunSet b{.name = "b"};
  for (int round = 1; round <= 6; ++round) {
    const double drift = 1.0 + 0.1 * round;
    a.runs.push_back(testing::run_of(drift, round));
    b.runs.push_back(testing::run_of(1.05 * drift * (round % 2 == 0 ? 1.001 : 0.999), round));
  }
  const MeasureChange change = compare_sets(a, b).of(output_token());
  EXPECT_EQ(change.basis, Basis::rounds);
  EXPECT_EQ(change.repeats, 6U);
  EXPECT_NEAR(change.change.value_or(0.0), 0.05, 0.001);
  EXPECT_LT(change.half.value_or(1.0), 0.003);
  // The same values without rounds: the drift is in the spread.
  for (RunSet* set : {&a, &b}) {
    for (ProfiledRun& run : set->runs) {
      run.tags.clear();
    }
  }
  const MeasureChange loose = compare_sets(a, b).of(output_token());
  EXPECT_EQ(loose.basis, Basis::repeats);
  EXPECT_GT(loose.half.value_or(0.0), 0.1);
}

TEST(Comparison, AnIdleMeasurementThatBothShareCancelsOnlyForEqualTimes) {
  const auto with_idle_error = [](double value, double idle_w, Nanoseconds duration) {
    ProfiledRun run = testing::run_of(value);
    run.power.baseline->power = Watts{idle_w};
    Figure& figure = run.totals.figure;
    figure.duration = duration;
    figure.quality.standard_error = Joules{0.0};
    figure.quality.dynamic_standard_error = Joules{0.5 * seconds(duration)};  // ± 0.5 W
    return run;
  };
  using namespace std::chrono_literals;
  const auto half = [&](double idle_b, Nanoseconds time_b) {
    RunSet a{.name = "a", .runs = {with_idle_error(1.0, 5.0, 2s), with_idle_error(1.0, 5.0, 2s)}};
    RunSet b{.name = "b",
             .runs = {with_idle_error(1.0, idle_b, time_b), with_idle_error(1.0, idle_b, time_b)}};
    return compare_sets(a, b).of(above_idle()).half.value_or(-1.0);
  };
  EXPECT_NEAR(half(5.0, 2s), 0.0, 1e-9) << "one measurement, equal times";
  // 15 J above idle; ± 0.5 W over one second more.
  EXPECT_NEAR(half(5.0, 3s), 1.96 * 0.5 / 15.0, 1e-4);
  EXPECT_NEAR(half(6.0, 2s), 1.96 * std::sqrt(2.0) * 0.5 * 2.0 / 15.0, 1e-4) << "two measurements";
}

TEST(Comparison, RunsThatAreNotComparableAreLeftOutAndCounted) {
  RunSet a = steady(1.0);
  testing::refuse(a.runs[1], "cpu_throttled");
  a.runs[3].status = RunStatus::cancelled;
  a.runs[3].totals.output_tokens = 2;
  const Comparison comparison = compare_sets(a, steady(1.1));
  EXPECT_EQ(comparison.a.runs, 5U);
  EXPECT_EQ(comparison.a.used, 3U);
  EXPECT_THAT(comparison.a.left_out,
              ElementsAre("1 run: because of cpu_throttled", "1 run: the run was cancelled"));
  EXPECT_EQ(comparison.of(output_token()).a->count, 3U);
  EXPECT_EQ(comparison.of(output_token()).repeats, 3U);
  EXPECT_TRUE(comparison.of(*find_measure("energy")).change) << "the others did the same work";
}

TEST(Comparison, WhereNoRunIsComparableThereIsNoRatio) {
  RunSet estimated = steady(1.0);
  for (ProfiledRun& run : estimated.runs) {
    testing::refuse(run, "estimate");
  }
  const Comparison comparison = compare_sets(estimated, steady(1.1));
  const MeasureChange& energy = comparison.of(output_token());
  EXPECT_FALSE(energy.change);
  EXPECT_EQ(energy.refusal, "because of estimate");
  EXPECT_TRUE(comparison.of(decode_speed()).change) << "its times are measured";
  const Ruling ruling = rule_on(comparison, output_token(), 0.02);
  EXPECT_EQ(ruling.judgement, Judgement::undecided);
  EXPECT_THAT(ruling.reason, HasSubstr("because of estimate"));
}

TEST(Comparison, OtherTokensAreOtherWork) {
  RunSet longer = steady(1.0);
  for (ProfiledRun& run : longer.runs) {
    run.totals.output_tokens = 64;
  }
  const Comparison comparison = compare_sets(steady(1.0), longer);
  EXPECT_EQ(comparison.of(*find_measure("energy")).refusal,
            "not the same work: 10 in, 11 out and 10 in, 64 out");
  EXPECT_TRUE(comparison.of(output_token()).change) << "a token is a token";
}

TEST(Comparison, OtherSensorsAndMachinesAllowNoVerdict) {
  RunSet other = steady(1.5);
  for (ProfiledRun& run : other.runs) {
    run.power.domains.front().domain.source = "hwmon";
  }
  const Comparison sensors = compare_sets(steady(1.0), other);
  Ruling ruling = rule_on(sensors, output_token(), 0.02);
  EXPECT_EQ(ruling.judgement, Judgement::undecided);
  EXPECT_EQ(ruling.reason,
            "the runs were measured with different sensors: rapl: package-0 and hwmon: package-0");
  // Both scales are in the interval: 5 % each.
  EXPECT_GT(sensors.of(output_token()).half.value_or(0.0), 1.96 * 0.05 * 1.5);
  EXPECT_EQ(rule_on(sensors, decode_speed(), 0.02).judgement, Judgement::worse)
      << "speeds need no sensor";

  RunSet here = steady(1.0);
  RunSet there = steady(1.5);
  here.runs[0].tags = {"machine=one"};
  for (ProfiledRun& run : here.runs) {
    run.tags = {"machine=one"};
  }
  for (ProfiledRun& run : there.runs) {
    run.tags = {"machine=two"};
  }
  ruling = rule_on(compare_sets(here, there), decode_speed(), 0.02);
  EXPECT_EQ(ruling.judgement, Judgement::undecided);
  EXPECT_EQ(ruling.reason, "the runs were made on different machines: one and two");
}

TEST(Comparison, FilesDoNotSayWhereTheyWereMade) {
  RunSet a = steady(1.0);
  a.is_from_files = true;
  const Ruling ruling = rule_on(compare_sets(a, steady(1.5)), output_token(), 0.02);
  EXPECT_EQ(ruling.judgement, Judgement::undecided);
  EXPECT_THAT(ruling.reason, HasSubstr("--same-machine"));
  EXPECT_EQ(
      rule_on(compare_sets(a, steady(1.5), {.same_machine = true}), output_token(), 0.02).judgement,
      Judgement::worse);
}

TEST(Comparison, OnlyAWholeIntervalAboveTheThresholdIsWorse) {
  const auto judge = [](const RunSet& a, const RunSet& b, double threshold) {
    return rule_on(compare_sets(a, b), output_token(), threshold);
  };
  EXPECT_EQ(judge(steady(1.0), steady(1.05), 0.02).judgement, Judgement::worse);
  EXPECT_EQ(judge(steady(1.0), steady(1.02), 0.02).judgement, Judgement::passed)
      << "a part of the interval is below";
  EXPECT_EQ(judge(steady(1.0), steady(1.0), 0.02).judgement, Judgement::passed);
  EXPECT_EQ(judge(steady(1.0), steady(0.5), 0.02).judgement, Judgement::passed);
  const RunSet wild = testing::set_of({0.9, 1.0, 1.1});
  const Ruling few = judge(wild, testing::set_of({0.92, 1.02, 1.12}), 0.02);
  EXPECT_EQ(few.judgement, Judgement::undecided);
  EXPECT_THAT(few.reason, HasSubstr("too few repeats for 2 %; about "));
  EXPECT_EQ(judge(wild, testing::set_of({2.9, 3.0, 3.1}), 0.02).judgement, Judgement::worse)
      << "so large an effect needs no narrow interval";
}

TEST(Comparison, OfASpeedLessIsWorse) {
  const Comparison slower = compare_sets(steady(1.0), steady(1.25));
  const Ruling ruling = rule_on(slower, decode_speed(), 0.1);
  EXPECT_EQ(ruling.judgement, Judgement::worse);
  EXPECT_THAT(ruling.reason, HasSubstr("decode speed -20.0 %"));
  EXPECT_EQ(rule_on(compare_sets(steady(1.25), steady(1.0)), decode_speed(), 0.1).judgement,
            Judgement::passed);
}

/// One simulated experiment: rounds with drift, two points in random order, spread between runs.
std::pair<RunSet, RunSet> simulate(std::mt19937& random, double effect, int rounds) {
  std::normal_distribution<double> noise(0.0, 0.01);
  std::uniform_real_distribution<double> slope(-0.015, 0.015);
  std::bernoulli_distribution first;
  const double drift = slope(random);  // of each run against the one before
  RunSet a{.name = "a"};
  RunSet b{.name = "b"};
  double time = 0.0;
  for (int round = 1; round <= rounds; ++round) {
    const bool a_first = first(random);
    for (const bool is_a : {a_first, !a_first}) {
      const double level = std::exp(drift * time) * (1.0 + noise(random));
      (is_a ? a : b).runs.push_back(testing::run_of(level * (is_a ? 1.0 : 1.0 + effect), round));
      time += 1.0;
    }
  }
  return {std::move(a), std::move(b)};
}

TEST(Comparison, WhatItClaimsHoldsInSimulatedExperimentsWithDrift) {
  constexpr int kExperiments = 1000;
  std::mt19937 random(20261130);
  int alarms = 0;
  int differences = 0;
  int covered = 0;
  for (int count = 0; count < kExperiments; ++count) {
    const auto [a, same] = simulate(random, 0.0, 8);
    const Comparison alike = compare_sets(a, same);
    const MeasureChange& none = alike.of(output_token());
    differences += std::abs(none.change.value_or(1.0)) > none.half.value_or(0.0) ? 1 : 0;
    alarms += rule_on(alike, output_token(), 0.0).judgement == Judgement::worse ? 1 : 0;
    const auto [before, after] = simulate(random, 0.05, 8);
    const MeasureChange change = compare_sets(before, after).of(output_token());
    covered += std::abs(change.change.value_or(1.0) - 0.05) <= change.half.value_or(0.0) ? 1 : 0;
  }
  EXPECT_LE(alarms, 0.04 * kExperiments) << "of one side, at a threshold of 0: 2.5 %";
  EXPECT_LE(differences, 0.07 * kExperiments) << "A/A: 5 %, ± 2 standard deviations";
  EXPECT_GE(covered, 0.93 * kExperiments);
  EXPECT_LE(covered, 0.97 * kExperiments);
}

TEST(ComparisonReport, SaysWhatDiffersAndWhatMayBeChance) {
  RunSet b = steady(1.1);
  for (ProfiledRun& run : b.runs) {
    run.model.quantization = "Q4_0";
  }
  RuledComparison ruled{.comparison = compare_sets(steady(1.0), b)};
  ruled.ruling = rule_on(ruled.comparison, output_token(), 0.02);
  const std::string text = comparison_report(std::vector{ruled}, {.colour = false, .width = 100});
  EXPECT_THAT(text, HasSubstr("energy per output token"));
  EXPECT_THAT(text, HasSubstr("+10.0 % ±"));
  EXPECT_THAT(text, HasSubstr("worse"));
  EXPECT_THAT(text, HasSubstr("Different: quantization Q8_0 → Q4_0\n"));
  EXPECT_THAT(text, HasSubstr("Same: model, engine, threads"));
  EXPECT_THAT(text, HasSubstr("Failed: energy per output token"));
  EXPECT_THAT(text, Not(HasSubstr("prefill speed"))) << "what no run has is not shown";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(end - at, 130U) << text.substr(at, end - at);  // in bytes
    at = end + 1;
  }
}

TEST(ComparisonReport, MarkdownHasATableAndNothingThatBreaksIt) {
  RunSet b = steady(1.0);
  b.name = "a|b*";
  const std::string text =
      comparison_markdown(std::vector{RuledComparison{.comparison = compare_sets(steady(1.0), b)}});
  EXPECT_THAT(text, HasSubstr("|---|---:|---:|---:|---|\n"));
  EXPECT_THAT(text, HasSubstr("B: a\\|b\\*"));
  EXPECT_THAT(text, HasSubstr("| the same ± "));
}

TEST(ComparisonReport, JsonCarriesUnitsAndNulls) {
  RuledComparison ruled{.comparison = compare_sets(testing::set_of({1.0}), testing::set_of({1.1}))};
  const auto json = nlohmann::json::parse(comparison_json(std::vector{ruled}));
  const auto& one = json.at("comparisons").at(0);
  EXPECT_TRUE(one.at("ruling").is_null());
  const auto& change = one.at("changes").at(0);
  EXPECT_EQ(change.at("measure"), "energy_per_output_token");
  EXPECT_DOUBLE_EQ(change.at("a").at("mean_mj"), 1000.0);
  EXPECT_TRUE(change.at("a").at("half_interval_mj").is_null());
  EXPECT_NEAR(change.at("change_pct").get<double>(), 10.0, 1e-9);
  EXPECT_EQ(change.at("basis"), "single");
}

}  // namespace
}  // namespace enprof
