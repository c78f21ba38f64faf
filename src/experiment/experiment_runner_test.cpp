#include "experiment/experiment_runner.hpp"

#include "engines/playback/playback.hpp"
#include "experiment/experiment_rows.hpp"
#include "experiment/experiment_table.hpp"
#include "experiment/run_labels.hpp"
#include "power/replay/replay_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A prompt of 20 ms, and tokens of so many microseconds.
std::string script(int us_per_token) {
  return fmt::format(R"({{"playback": 1, "model": {{"name": "toy"}}, "prompt_tokens": 4, "steps": [
  {{"phase": "prefill", "sections": [{{"name": "forward", "us": 20000}}]}},
  {{"phase": "prefill", "token": "a", "sections": [{{"name": "sampling", "us": 100}}]}},
  {{"phase": "decode", "token": "x", "repeat": 50,
    "sections": [{{"name": "forward", "us": {}}}]}}]}})",
                     us_per_token);
}

/// Writes what happens, in order.
class Diary final : public ExperimentObserver {
 public:
  void on_run(const ExperimentPoint& point, int round, std::size_t done, std::size_t all) override {
    lines.push_back(fmt::format("{} {} {}/{}", round, point.label.substr(0, 4), done + 1, all));
    if (interrupt_at == lines.size()) {
      source.request_stop();
    }
  }
  void on_failure(const ExperimentPoint& point, const Error& error) override {
    failures.push_back(point.label + ": " + error.message);
  }

  std::vector<std::string> lines;
  std::vector<std::string> failures;
  std::size_t interrupt_at = 0;
  std::stop_source source;
};

class ExperimentRunnerTest : public ::testing::Test {
 protected:
  ExperimentRunnerTest() {
    dir_.write("fast.playback.json", script(1000));
    dir_.write("slow.playback.json", script(2000));
  }

  [[nodiscard]] Result<PowerMonitor> open_power() {
    std::vector<std::unique_ptr<PowerSource>> sources;
    std::string text;
    for (int begin = 0; begin < 5000; ++begin) {  // 10 W
      text += fmt::format(R"({{"domain":"cpu","begin_ms":{},"end_ms":{},"energy_mj":10}})"
                          "\n",
                          begin, begin + 1);
    }
    sources.push_back(*ReplaySource::open(dir_.write("power.jsonl", text), clock_));
    return PowerMonitor(std::move(sources), clock_);
  }
  [[nodiscard]] ExperimentRunner::Options options() {
    return {.store = &*store_,
            .power = &power_,
            .models = &models_,
            .profiler = {.clock = &clock_},
            .tags = {"mine"},
            .clock = &clock_,
            .observer = &diary_};
  }
  [[nodiscard]] std::string path(const std::string& file) const {
    return (dir_.path() / file).string();
  }
  [[nodiscard]] ExperimentDesign design(int repeats) const {
    return {
        .name = "weekly",
        .blocks = {PointBlock{.models = {path("fast.playback.json"), path("slow.playback.json")},
                              .output_tokens = {11}}},
        .repeats = repeats,
        .seed = 5};
  }
  [[nodiscard]] std::vector<ProfiledRun> stored() {
    std::vector<ProfiledRun> runs;
    const auto found = store_->find_runs({.ascending = true});
    for (const std::string& id : found->ids) {
      runs.push_back(**store_->get_run(id));
    }
    return runs;
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  testing::PassingSleeper sleeper_{clock_};
  std::unique_ptr<Engine> engine_ = make_playback(clock_, sleeper_);
  Result<ProfileDatabase> store_ = ProfileDatabase::connect(dir_.path() / "profiles.db");
  int baselines_ = 0;
  SessionPower power_{
      {.open = [this] { return open_power(); },
       .baseline = [this](PowerMonitor&, const std::stop_token&) -> std::optional<Warning> {
         ++baselines_;
         return std::nullopt;
       },
       .clock = &clock_}};
  ModelKeeper models_{{.engine_for = [this](const auto&) -> const Engine& { return *engine_; }}};
  Diary diary_;
};

TEST_F(ExperimentRunnerTest, EachPointIsMeasuredOnceInEachRoundInRandomOrder) {
  const ExperimentOutcome outcome = ExperimentRunner(options()).run(design(4), {});
  EXPECT_FALSE(outcome.interrupted);
  ASSERT_THAT(outcome.points, SizeIs(2));
  for (const PointResult& point : outcome.points) {
    ASSERT_THAT(point.runs, SizeIs(4)) << point.point.label;
    EXPECT_FALSE(point.error);
    for (int round = 1; round <= 4; ++round) {
      EXPECT_EQ(round_of(point.runs[static_cast<std::size_t>(round - 1)]), round);
    }
  }
  std::vector<std::string> expected;
  for (int round = 1; round <= 4; ++round) {
    for (const std::size_t index : order_of_round(5, round, 2)) {
      expected.push_back(
          fmt::format("{} {} {}/8", round, index == 0 ? "fast" : "slow", expected.size() + 1));
    }
  }
  EXPECT_EQ(diary_.lines, expected);
}

TEST_F(ExperimentRunnerTest, RunsAreStoredUnderTheExperimentWithTheirPoint) {
  static_cast<void>(ExperimentRunner(options()).run(design(2), {}));
  const auto runs = stored();
  ASSERT_THAT(runs, SizeIs(4)) << "what warms up is not kept";
  for (const ProfiledRun& run : runs) {
    EXPECT_EQ(run.experiment, "weekly");
    EXPECT_EQ(run.prompt, "512 synthetic tokens");
    EXPECT_EQ(run.totals.output_tokens, 11U);
    EXPECT_EQ(run.tags.front(), "mine");
    EXPECT_THAT(point_of(run), HasSubstr(".playback.json p512 n11"));
    EXPECT_EQ(tag_value(run.tags, kDesignTag).has_value(), round_of(run) == 1);
  }
}

TEST_F(ExperimentRunnerTest, IdleIsMeasuredBeforeEachRoundAndAfterLoading) {
  ExperimentDesign one = design(3);
  one.blocks.front().models.pop_back();
  one.blocks.front().prompt_tokens = {128, 512};
  static_cast<void>(ExperimentRunner(options()).run(one, {}));
  EXPECT_EQ(baselines_, 3) << "the model stays loaded";
}

TEST_F(ExperimentRunnerTest, EnergyFollowsFromTimeAndPower) {
  const ExperimentOutcome outcome = ExperimentRunner(options()).run(design(3), {});
  // 10 W, 1 ms and 2 ms for a token.
  EXPECT_NEAR(outcome.points[0].runs[1].totals.energy_per_output_token->value(), 0.01, 1e-4);
  EXPECT_NEAR(outcome.points[1].runs[1].totals.energy_per_output_token->value(), 0.02, 1e-4);
}

TEST_F(ExperimentRunnerTest, AModelThatFailsLeavesTheOthers) {
  ExperimentDesign broken = design(2);
  auto& models = broken.blocks.front().models;
  models.insert(models.begin() + 1, path("missing.playback.json"));
  const ExperimentOutcome outcome = ExperimentRunner(options()).run(broken, {});
  ASSERT_THAT(outcome.points, SizeIs(3));
  EXPECT_THAT(outcome.points[0].runs, SizeIs(2));
  EXPECT_THAT(outcome.points[1].runs, IsEmpty());
  ASSERT_TRUE(outcome.points[1].error);
  EXPECT_THAT(outcome.points[1].error->message, HasSubstr("missing.playback.json"));
  EXPECT_THAT(outcome.points[2].runs, SizeIs(2));
  EXPECT_THAT(diary_.failures, SizeIs(1)) << "it is tried once";
  const std::string table = experiment_markdown(broken, outcome, {.colour = false, .width = 100});
  EXPECT_THAT(table, HasSubstr("| failed "));
  EXPECT_THAT(table, HasSubstr("- missing.playback.json p512 n11 is missing: "));
}

TEST_F(ExperimentRunnerTest, AnInterruptedExperimentGoesOnWhereItStopped) {
  diary_.interrupt_at = 4;
  const ExperimentOutcome first =
      ExperimentRunner(options()).run(design(3), diary_.source.get_token());
  EXPECT_TRUE(first.interrupted);
  const auto kept = stored();
  EXPECT_GE(kept.size(), 3U);
  const auto back = design_from_json(*tag_value(kept.front().tags, kDesignTag));
  ASSERT_TRUE(back);

  diary_.lines.clear();
  diary_.interrupt_at = 0;
  ExperimentDesign again = *back;
  again.name = "weekly";
  auto resumed = options();
  resumed.earlier = kept;
  const ExperimentOutcome second = ExperimentRunner(resumed).run(again, {});
  EXPECT_FALSE(second.interrupted);
  EXPECT_THAT(diary_.lines, SizeIs(3)) << "three of six were done";
  for (const PointResult& point : second.points) {
    const auto done = std::ranges::count(point.runs, RunStatus::completed, &ProfiledRun::status);
    EXPECT_EQ(done, 3) << point.point.label;
  }
}

TEST_F(ExperimentRunnerTest, APointThatIsPreciseIsNotMeasuredAgain) {
  ExperimentDesign precise = design(20);
  precise.precision = 0.05;
  const ExperimentOutcome outcome = ExperimentRunner(options()).run(precise, {});
  for (const PointResult& point : outcome.points) {
    EXPECT_TRUE(point.is_precise);
    EXPECT_THAT(point.runs, SizeIs(5)) << "on a simulated clock all runs are alike";
  }
}

TEST_F(ExperimentRunnerTest, NoRunBeginsAfterTheBudget) {
  auto limited = options();
  limited.budget = 120ms;  // a run takes 30 or 40 ms, and its warming up as much
  const ExperimentOutcome outcome = ExperimentRunner(limited).run(design(50), {});
  EXPECT_TRUE(outcome.budget_spent);
  const std::size_t runs = outcome.points[0].runs.size() + outcome.points[1].runs.size();
  EXPECT_GE(runs, 1U);
  EXPECT_LE(runs, 4U);
}

/// Runs with these reasons of their verdicts, all of round 1.
std::vector<ProfiledRun> runs_with(const std::string& label,
                                   const std::vector<std::string>& codes) {
  std::vector<ProfiledRun> runs;
  for (const std::string& code : codes) {
    ProfiledRun run;
    run.status = RunStatus::completed;
    run.tags = {make_tag(kPointTag, label), make_tag(kRoundTag, "1")};
    if (!code.empty()) {
      run.verdict = VerdictLevel::not_comparable;
      run.verdict_reasons = {{VerdictLevel::not_comparable, code, "because of " + code}};
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

TEST_F(ExperimentRunnerTest, ADisturbedRunIsDoneAgainButNotForEver) {
  ExperimentDesign one = design(1);
  one.blocks.front().models.pop_back();
  const std::string label = one.points().front().label;
  const auto measured = [&](const std::vector<std::string>& codes) {
    auto with = options();
    with.earlier = runs_with(label, codes);
    diary_.lines.clear();
    static_cast<void>(ExperimentRunner(with).run(one, {}));
    return diary_.lines.size();
  };
  EXPECT_EQ(measured({}), 1U);
  EXPECT_EQ(measured({""}), 0U);
  EXPECT_EQ(measured({"foreign_load"}), 1U);
  EXPECT_EQ(measured({"foreign_load", "cpu_throttled"}), 1U);
  EXPECT_EQ(measured({"foreign_load", "foreign_load", "foreign_load"}), 0U);
  EXPECT_EQ(measured({"estimate"}), 0U) << "it would be an estimate again";
}

TEST_F(ExperimentRunnerTest, LimitsAreSetBeforeTheirPointsAndOneThatCannotBeLeavesTheOthers) {
  ExperimentDesign limited = design(2);
  limited.blocks.front().models.pop_back();
  limited.blocks.front().cpu_power_limits = {0, 40, 999};
  std::vector<int> set;
  auto with = options();
  with.set_limits = [&](const ExperimentRunner::Limits& limits) -> Result<void> {
    if (limits.cpu_power == 999) {
      return fail(ErrorCode::invalid_argument, "it may be 1 to 95 W");
    }
    set.push_back(limits.cpu_power);
    return {};
  };
  const ExperimentOutcome outcome = ExperimentRunner(with).run(limited, {});
  EXPECT_THAT(outcome.points[0].runs, SizeIs(2));
  EXPECT_THAT(outcome.points[1].runs, SizeIs(2));
  EXPECT_THAT(outcome.points[2].runs, IsEmpty());
  ASSERT_TRUE(outcome.points[2].error);
  EXPECT_EQ(outcome.points[2].error->message, "it may be 1 to 95 W");
  EXPECT_THAT(set, ::testing::Contains(40));
  ExperimentDesign nowhere = design(1);
  nowhere.blocks.front().gpu_power_limits = {200};
  EXPECT_THAT(ExperimentRunner(options()).run(nowhere, {}).points[0].error->message,
              HasSubstr("no limits that can be set"));
}

TEST_F(ExperimentRunnerTest, SettingsThatContradictEachOtherAreNoRun) {
  ExperimentDesign wrong = design(1);
  wrong.blocks.front().batches = {8};
  wrong.blocks.front().micro_batches = {4, 16};
  const ExperimentOutcome outcome = ExperimentRunner(options()).run(wrong, {});
  ASSERT_THAT(outcome.points, SizeIs(4));
  EXPECT_FALSE(outcome.points[0].error);
  ASSERT_TRUE(outcome.points[1].error);
  EXPECT_THAT(outcome.points[1].error->message, HasSubstr("-ub 16 is more than -b 8"));
}

TEST_F(ExperimentRunnerTest, PromptsAndQualitiesReachTheRuns) {
  ExperimentDesign with_prompt = design(1);
  with_prompt.blocks.front().models.pop_back();
  with_prompt.blocks.front().prompt_files = {"story.txt", "lost.txt"};
  auto with = options();
  with.prompts.emplace("story.txt", "Once upon a time");
  with.prompts.emplace("lost.txt", fail(ErrorCode::not_found, "lost.txt is lost"));
  with.qualities.emplace(path("fast.playback.json"), PointQuality{.perplexity = 7.5});
  const ExperimentOutcome outcome = ExperimentRunner(with).run(with_prompt, {});
  ASSERT_THAT(outcome.points, SizeIs(2));
  ASSERT_THAT(outcome.points[0].runs, SizeIs(1));
  EXPECT_EQ(outcome.points[0].runs[0].prompt, "Once upon a time");
  EXPECT_EQ(outcome.points[0].quality->perplexity, 7.5);
  EXPECT_EQ(quality_of(outcome.points[0].runs[0])->perplexity, 7.5) << "it is kept with the run";
  EXPECT_THAT(outcome.points[1].error->message, HasSubstr("lost.txt is lost"));
}

TEST_F(ExperimentRunnerTest, AnOutlierIsDoneAgainAfterTheLastRound) {
  ExperimentDesign one = design(6);
  one.blocks.front().models.pop_back();
  ProfiledRun run;
  int kept = 0;
  auto with = options();
  with.perform = [&](const RunTask& task, bool is_kept, const std::stop_token&) {
    run = {};
    run.status = RunStatus::completed;
    run.tags = task.tags;
    // The second of the runs that are kept is half as fast.
    run.totals.decode_tokens_per_second = is_kept && ++kept == 2 ? 50.0 : 100.0;
    return RunOutcome{.run = &run, .has_begun = true, .error = std::nullopt};
  };
  const ExperimentOutcome outcome = ExperimentRunner(with).run(one, {});
  ASSERT_THAT(outcome.points[0].runs, SizeIs(7));
  EXPECT_EQ(round_of(outcome.points[0].runs.back()), 2) << "the round of the outlier";
  EXPECT_THAT(experiment_markdown(one, outcome, {.colour = false, .width = 200}),
              HasSubstr("1 run unlike the others although nothing disturbed it, and left out"));
}

TEST_F(ExperimentRunnerTest, TheTimesOfAnExperimentAddUp) {
  const ExperimentOutcome outcome = ExperimentRunner(options()).run(design(3), {});
  EXPECT_GT(outcome.times.runs, Nanoseconds{0});
  EXPECT_GT(outcome.times.warm_ups, Nanoseconds{0});
  EXPECT_GE(outcome.times.rest(), Nanoseconds{0});
  Nanoseconds runs{0};
  for (const PointResult& point : outcome.points) {
    for (const ProfiledRun& run : point.runs) {
      runs += run.totals.figure.duration;
    }
  }
  EXPECT_EQ(outcome.times.runs, runs);
}

TEST_F(ExperimentRunnerTest, DisturbedRunsAreCountedInTheTable) {
  ExperimentDesign one = design(1);
  one.blocks.front().models.pop_back();
  ExperimentOutcome outcome;
  outcome.points.push_back(
      {.point = one.points().front(), .runs = runs_with("x", {"foreign_load", ""})});
  const std::string table = experiment_markdown(one, outcome, {.colour = false, .width = 200});
  EXPECT_THAT(table, HasSubstr("| 1 of 2 |"));
  EXPECT_THAT(table, HasSubstr("1 run disturbed, and left out"));
  EXPECT_THAT(table, HasSubstr("because of foreign_load"));
}

TEST_F(ExperimentRunnerTest, TheTableFitsAndOtherFormsAreWhole) {
  ExperimentDesign two = design(3);
  const ExperimentOutcome outcome = ExperimentRunner(options()).run(two, {});
  const std::string narrow = experiment_markdown(two, outcome, {.colour = false, .width = 80});
  EXPECT_THAT(narrow, HasSubstr(" output token |"));
  EXPECT_THAT(narrow, HasSubstr("| 10.00 mJ ± 0.0"));
  EXPECT_THAT(narrow, HasSubstr("Not shown: "));
  EXPECT_THAT(narrow, HasSubstr("Experiment weekly: p 512, n 11;"));
  const std::string wide = experiment_markdown(two, outcome, {.colour = false, .width = 0});
  EXPECT_THAT(wide, HasSubstr("million output tokens"));
  EXPECT_THAT(wide, ::testing::Not(HasSubstr("Not shown")));

  const auto rows = nlohmann::json::parse(experiment_json(two, outcome));
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].at("model"), "toy");
  EXPECT_EQ(rows[0].at("runs"), 3);
  EXPECT_NEAR(rows[0].at("energy_per_output_token_mj").get<double>(), 10.0, 0.1);
  EXPECT_NEAR(rows[0].at("energy_per_million_output_tokens_wh").get<double>(), 1e4 / 3600, 0.1);
  EXPECT_TRUE(rows[0].at("batch").is_null());
  const std::string lines = experiment_jsonl(two, outcome);
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2);
  EXPECT_EQ(nlohmann::json::parse(lines.substr(0, lines.find('\n'))), rows[0]);
  const std::string csv = experiment_csv(two, outcome);
  EXPECT_THAT(csv, ::testing::StartsWith("experiment,point,"));
  EXPECT_EQ(std::ranges::count(csv, '\n'), 3);
  const std::string sql = experiment_sql(two, outcome);
  EXPECT_THAT(sql, ::testing::StartsWith("CREATE TABLE IF NOT EXISTS enprof_bench ("));
  EXPECT_THAT(sql, HasSubstr("INSERT INTO enprof_bench (experiment, point, "));
}

}  // namespace
}  // namespace enprof
