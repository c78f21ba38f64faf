#include "enprof/model/verdict.hpp"

#include "enprof/model/profiled_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// 100 J over two seconds, 200 readings, ± 0.5 J by attribution, on a quiet machine.
ProfiledRun good_run() {
  ProfiledRun run;
  run.status = RunStatus::completed;
  run.totals.figure = {.duration = 2s,
                       .total = Joules{100},
                       .baseline = Joules{20},
                       .dynamic = Joules{80},
                       .mean_power = Watts{50},
                       .quality = {.sensor = "rapl",
                                   .method = Method::measured,
                                   .coverage = 1.0,
                                   .resolution = 200.0,
                                   .standard_error = Joules{0.5},
                                   .dynamic_standard_error = Joules{0.6},
                                   .standard_uncertainty = Joules{5.0},
                                   .dynamic_standard_uncertainty = Joules{4.0},
                                   .foreign_cpu_share = 0.01}};
  DomainFigure package{.domain = domain_from_name("package-0"), .figure = run.totals.figure};
  package.domain.source = "rapl";
  package.domain.relative_uncertainty = 0.05;
  run.power.domains = {package};
  return run;
}

std::vector<std::string> codes(ProfiledRun& run) {
  judge_run(run);
  std::vector<std::string> result;
  for (const VerdictReason& reason : run.verdict_reasons) {
    result.push_back(reason.code);
  }
  return result;
}

void expect(ProfiledRun run, VerdictLevel level, const std::string& code) {
  EXPECT_THAT(codes(run), ElementsAre(code));
  EXPECT_EQ(run.verdict, level) << code << ": " << verdict_line(*run.verdict, run.verdict_reasons);
}

TEST(Verdict, ACommandThatFailedSaysHow) {
  ProfiledRun run = good_run();
  run.status = RunStatus::failed;
  run.model.engine = "exec";
  run.finish_reason = "exit code 3";
  EXPECT_THAT(codes(run), ElementsAre("not_completed"));
  EXPECT_EQ(run.verdict_reasons[0].message, "the command ended with exit code 3");
  run.status = RunStatus::cancelled;
  judge_run(run);
  EXPECT_EQ(run.verdict_reasons[0].message, "the run was cancelled");
}

TEST(Verdict, AGoodRunIsQuotable) {
  ProfiledRun run = good_run();
  EXPECT_THAT(codes(run), IsEmpty());
  EXPECT_EQ(run.verdict, VerdictLevel::quotable);
  EXPECT_EQ(verdict_line(*run.verdict, run.verdict_reasons), "quotable");
}

TEST(Verdict, JudgingAgainForgetsWhatWasSaidBefore) {
  ProfiledRun run = good_run();
  run.totals.figure.quality.coverage = 0.5;
  judge_run(run);
  run.totals.figure.quality.coverage = 1.0;
  EXPECT_THAT(codes(run), IsEmpty());
}

TEST(Verdict, LoadByOthersIsJudgedByTheEnergyThatItCanHaveUsed) {
  ProfiledRun run = good_run();
  double& share = run.totals.figure.quality.foreign_cpu_share.emplace(0.03);
  EXPECT_THAT(codes(run), IsEmpty());
  share = 0.031;
  expect(run, VerdictLevel::with_caution, "foreign_load");
  share = 0.101;
  expect(run, VerdictLevel::not_comparable, "foreign_load");
  // Where a GPU used nine tenths of the energy, the CPUs' load concerns the last tenth.
  DomainFigure gpu{.domain = domain_from_name("gpu-0"), .figure = run.totals.figure};
  gpu.figure.total = Joules{900};
  gpu.domain.relative_uncertainty = 0.03;
  run.power.domains.push_back(gpu);
  EXPECT_THAT(codes(run), IsEmpty());
  run.totals.figure.quality.foreign_cpu_share.reset();
  expect(run, VerdictLevel::with_caution, "foreign_load_unknown");
}

TEST(Verdict, CoverageAndShortness) {
  ProfiledRun run = good_run();
  Quality& quality = run.totals.figure.quality;
  quality.coverage = 0.98;
  expect(run, VerdictLevel::with_caution, "low_coverage");
  quality.coverage = 0.89;
  expect(run, VerdictLevel::not_comparable, "low_coverage");
  quality.coverage = 1.0;
  quality.standard_error = Joules{2.1};
  expect(run, VerdictLevel::with_caution, "too_short");
  quality.standard_error = Joules{10.1};
  expect(run, VerdictLevel::not_comparable, "too_short");
  quality.standard_error = Joules{0.1};
  quality.resolution = 0.9;
  expect(run, VerdictLevel::not_comparable, "too_short");
}

TEST(Verdict, BaselineAndAccuracy) {
  ProfiledRun run = good_run();
  run.totals.figure.dynamic.reset();
  expect(run, VerdictLevel::with_caution, "no_baseline");
  run.totals.figure.dynamic = Joules{-1};
  expect(run, VerdictLevel::not_comparable, "baseline_above_run");
  run = good_run();
  run.totals.figure.quality.standard_uncertainty.reset();
  run.power.domains[0].domain.relative_uncertainty.reset();
  expect(run, VerdictLevel::with_caution, "accuracy_unknown");
  judge_run(run);
  EXPECT_EQ(verdict_line(*run.verdict, run.verdict_reasons),
            "with caution: the accuracy of rapl is not known");
}

TEST(Verdict, AnEstimateIsNotComparableHoweverWholeItIs) {
  ProfiledRun run = good_run();
  Quality& quality = run.totals.figure.quality;
  quality.method = Method::estimated;
  quality.standard_error.reset();
  quality.standard_uncertainty.reset();
  expect(run, VerdictLevel::not_comparable, "estimate");
}

TEST(Verdict, WhatDidNotEndOrHasNoEnergyIsNotComparable) {
  ProfiledRun run = good_run();
  run.status = RunStatus::cancelled;
  expect(run, VerdictLevel::not_comparable, "not_completed");
  run = good_run();
  run.totals.figure.total.reset();
  expect(run, VerdictLevel::not_comparable, "no_energy");
}

TEST(Verdict, WarningsCountOnceEachAndTheWorstComesFirst) {
  ProfiledRun run = good_run();
  run.warnings = {{"power", "counter_reset", "package-0 was reset", ""},
                  {"power", "counter_reset", "package-1 was reset", ""},
                  {"profile", "dropped_events", "a listener was slow", ""},
                  {"profile", "stood_still", "it was stopped", ""}};
  EXPECT_THAT(codes(run), ElementsAre("stood_still", "counter_reset"));
  EXPECT_EQ(run.verdict, VerdictLevel::not_comparable);
  EXPECT_EQ(verdict_line(*run.verdict, run.verdict_reasons),
            "not comparable: the program stood still for a part of the run; an energy counter was "
            "reset");
}

TEST(Verdict, LevelsHaveNames) {
  EXPECT_EQ(to_string(VerdictLevel::with_caution), "with_caution");
  EXPECT_EQ(words_of(VerdictLevel::not_comparable), "not comparable");
  EXPECT_EQ(to_string(static_cast<VerdictLevel>(9)), "unknown");
}

}  // namespace
}  // namespace enprof
