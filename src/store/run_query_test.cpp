#include "enprof/store/run_query.hpp"

#include "enprof/store/profile_database.hpp"

#include "store/power_timeline.hpp"
#include "store/step_store.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <tuple>
#include <vector>

namespace enprof {
namespace {

using std::chrono::milliseconds;
using testing::sample_run;

class RunQuery : public ::testing::Test {
 protected:
  void save(const ProfiledRun& run) {
    const auto saved = database_.save_run(run);
    ASSERT_TRUE(saved) << saved.error().message;
  }

  const testing::TempDir dir_;
  const std::filesystem::path path_ = dir_.path() / "profiles.db";
  ProfileDatabase database_ = ProfileDatabase::connect(path_).value();
};

TEST_F(RunQuery, ARunIsReadInParts) {
  save(sample_run("r"));
  ProfiledRun expected = sample_run("r");
  expected.tokens.clear();
  expected.operation_table.events.clear();
  EXPECT_EQ(**database_.get_run("r", {.tokens = false, .operation_events = false}), expected);
  expected.operations.clear();
  expected.operation_table = {};
  EXPECT_EQ(**database_.get_run("r", {.tokens = false, .operations = false}), expected);
  expected.layers.clear();
  expected.components.clear();
  expected.values = {};
  expected.power.samples.clear();
  expected.power.readings.clear();
  EXPECT_EQ(**database_.get_run("r", {.tokens = false,
                                      .layers = false,
                                      .operations = false,
                                      .values = false,
                                      .power_samples = false}),
            expected);
}

TEST_F(RunQuery, SummaryAndPipelineAreThoseOfTheRun) {
  const ProfiledRun run = sample_run("r");
  save(run);
  const auto summary = database_.summary("r");
  ASSERT_TRUE(summary && *summary);
  EXPECT_EQ(**summary, database_.list_runs()->runs.at(0));
  EXPECT_EQ((*summary)->energy, run.totals.figure.total);
  const auto pipeline = database_.pipeline("r");
  ASSERT_TRUE(pipeline && *pipeline);
  EXPECT_EQ((*pipeline)->phases, run.phases);
  EXPECT_EQ((*pipeline)->sections, run.sections);
}

TEST_F(RunQuery, AMissingRunIsEmptyNotAnError) {
  EXPECT_FALSE(database_.get_run("x").value());
  EXPECT_FALSE(database_.summary("x").value());
  EXPECT_FALSE(database_.pipeline("x").value());
  EXPECT_FALSE(database_.power_timeline("x").value());
  EXPECT_FALSE(database_.layer_components("x").value());
  EXPECT_TRUE(StepStore(database_).read_steps("x")->empty());
}

/// Two root domains and a domain within one of them; one root has a gap.
ProfiledRun with_power() {
  ProfiledRun run{.run_id = "r"};
  for (const char* const name : {"package-0", "core-0", "dram-0"}) {
    run.power.domains.push_back({.domain = domain_from_name(name)});
  }
  run.power.domains[1].domain.parent = 0;
  const auto window = [&](std::size_t domain, int begin, int end, double watts) {
    run.power.samples.push_back({.domain = domain,
                                 .begin = milliseconds{begin},
                                 .end = milliseconds{end},
                                 .energy = Watts{watts} * milliseconds{end - begin}});
  };
  window(0, 0, 10, 50);
  window(1, 0, 10, 30);
  window(2, 0, 15, 5);
  window(0, 10, 20, 60);
  window(0, 30, 40, 40);
  window(2, 15, 40, 10);
  return run;
}

TEST_F(RunQuery, TheTimelineHasEachDomainAndTheSumWhereAllAreKnown) {
  save(with_power());
  const auto timeline = database_.power_timeline("r");
  ASSERT_TRUE(timeline && *timeline);
  const auto& [domains, total] = **timeline;
  ASSERT_EQ(domains.size(), 3U);
  EXPECT_EQ(domains[0].domain, "package-0");
  EXPECT_TRUE(domains[0].is_root);
  EXPECT_FALSE(domains[1].is_root);
  EXPECT_EQ(domains[0].points.size(), 3U);
  ASSERT_EQ(total.size(), 4U) << "from 20 to 30 ms the package is unknown";
  const std::vector<std::tuple<int, int, double>> expected{
      {0, 10, 55}, {10, 15, 65}, {15, 20, 70}, {30, 40, 50}};
  for (std::size_t index = 0; index < total.size(); ++index) {
    EXPECT_EQ(total[index].begin, milliseconds{std::get<0>(expected[index])});
    EXPECT_EQ(total[index].end, milliseconds{std::get<1>(expected[index])});
    EXPECT_NEAR(total[index].power.value(), std::get<2>(expected[index]), 1e-9);
  }
}

TEST_F(RunQuery, TheTimelineIsCutToSoManyPointsAndKeepsThePeak) {
  ProfiledRun run{.run_id = "r"};
  run.power.domains.push_back({.domain = domain_from_name("cpu")});
  for (int index = 0; index < 5000; ++index) {
    run.power.samples.push_back({.domain = 0,
                                 .begin = milliseconds{index},
                                 .end = milliseconds{index + 1},
                                 .energy = Joules{index == 3456 ? 1.0 : 0.05}});
  }
  save(run);
  const auto timeline = database_.power_timeline("r", 100);
  ASSERT_TRUE(timeline && *timeline);
  EXPECT_EQ((*timeline)->domains[0].points.size(), 100U);
  EXPECT_EQ((*timeline)->total.size(), 100U);
  double peak = 0;
  for (const PowerPoint& point : (*timeline)->total) {
    peak = std::max(peak, point.power.value());
  }
  EXPECT_NEAR(peak, 1000.0, 1e-6);
}

/// The SQL view gives the same as the timeline, row by row.
TEST_F(RunQuery, TheWideViewOfPowerAgrees) {
  save(with_power());
  SQLite::Database raw(path_.string());
  SQLite::Statement rows(raw,
                         "SELECT at_ms, duration_ms, cpu_mw, gpu_mw, dram_mw, total_mw "
                         "FROM power_wide ORDER BY at_ns");
  const std::vector<std::vector<double>> expected{{0, 10, 50'000, 5'000, 55'000},
                                                  {10, 5, 60'000, 5'000, 65'000},
                                                  {15, 5, 60'000, 10'000, 70'000},
                                                  {20, 10, -1, 10'000, -1},
                                                  {30, 10, 40'000, 10'000, 50'000}};
  const auto value = [&](int column) {
    return rows.isColumnNull(column) ? -1.0 : rows.getColumn(column).getDouble();
  };
  for (const auto& row : expected) {
    ASSERT_TRUE(rows.executeStep());
    EXPECT_EQ((std::vector<double>{value(0), value(1), value(2), value(4), value(5)}), row);
    EXPECT_TRUE(rows.isColumnNull(3)) << "no GPU is not a GPU of 0 W";
  }
  EXPECT_FALSE(rows.executeStep());
}

TEST_F(RunQuery, TheMatrixAddsUpPhasesAndKnowsWhatItDoesNotKnow) {
  ProfiledRun run = sample_run("r");
  run.components[1].figure.total.reset();  // of (outside, down_proj)
  const auto more = run.components[0];
  run.components.push_back(more);
  run.components.back().phase = Phase::prefill;
  save(run);
  const auto matrix = database_.layer_components("r");
  ASSERT_TRUE(matrix && *matrix);
  EXPECT_EQ((*matrix)->layers, (std::vector<std::int32_t>{-1, 0, 1}));
  EXPECT_EQ((*matrix)->components, (std::vector<std::string>{"q_proj", "down_proj"}));
  const auto& both = (*matrix)->at(0, 0);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->count, 4U);
  EXPECT_NEAR(both->energy->value(), 2 * more.figure.total->value(), 1e-12);
  EXPECT_EQ((*matrix)->at(0, 1)->energy, std::nullopt);
  EXPECT_EQ((*matrix)->at(2, 1)->flops, std::nullopt);
  const auto prefill = database_.layer_components("r", Phase::prefill);
  ASSERT_TRUE(prefill && *prefill);
  EXPECT_EQ((*prefill)->layers, std::vector<std::int32_t>{-1});
  EXPECT_EQ((*prefill)->at(0, 0)->count, 2U);
}

TEST_F(RunQuery, ListsAreFilteredSortedAndCountedAsAWhole) {
  const auto run = [&](const char* id, int start_s, int duration_ms, std::optional<double> joules,
                       const char* engine, const char* prompt) {
    ProfiledRun made{.run_id = id};
    made.started_at = WallTime{std::chrono::seconds{start_s}};
    made.totals.figure.duration = milliseconds{duration_ms};
    if (joules) {
      made.totals.figure.total = Joules{*joules};
      made.totals.energy_per_output_token = Joules{10.0 - *joules};
    }
    made.model.engine = engine;
    made.prompt = prompt;
    save(made);
  };
  run("a", 10, 300, 3.0, "llama.cpp v0.5.0", "Why is the sky blue?");
  run("b", 20, 100, std::nullopt, "llama.cpp v0.6.0", "100% of WHY");
  run("c", 30, 200, 1.0, "llama.cppx v1", "Ä \"quoted\" _ text");
  run("d", 40, 400, 2.0, "torch", "");
  const auto ids = [&](const RunFilter& filter) {
    const auto list = database_.list_runs(filter);
    EXPECT_TRUE(list) << list.error().message;
    std::string text;
    for (const RunSummary& line : list->runs) {
      text += line.run_id;
    }
    return text + "/" + std::to_string(list->total);
  };
  EXPECT_EQ(ids({}), "dcba/4");
  EXPECT_EQ(ids({.ascending = true}), "abcd/4");
  EXPECT_EQ(ids({.order = RunOrder::duration}), "dacb/4");
  EXPECT_EQ(ids({.order = RunOrder::duration, .ascending = true}), "bcad/4");
  EXPECT_EQ(ids({.order = RunOrder::energy}), "adcb/4");
  EXPECT_EQ(ids({.order = RunOrder::energy, .ascending = true}), "cdab/4") << "unknown is not 0";
  EXPECT_EQ(ids({.order = RunOrder::joules_per_token}), "cdab/4");
  EXPECT_EQ(ids({.order = RunOrder::energy, .limit = 2, .offset = 1}), "dc/4");
  EXPECT_EQ(ids({.engine = "llama.cpp"}), "ba/2");
  EXPECT_EQ(ids({.engine = "llama.cpp v0.5.0"}), "a/1");
  EXPECT_EQ(ids({.engine = "llama"}), "/0");
  EXPECT_EQ(ids({.prompt_text = "why"}), "ba/2");
  EXPECT_EQ(ids({.prompt_text = "%"}), "b/1");
  EXPECT_EQ(ids({.prompt_text = "_"}), "c/1");
  EXPECT_EQ(ids({.prompt_text = "\"quoted\""}), "c/1");
  EXPECT_EQ(ids({.from = WallTime{std::chrono::seconds{20}}}), "dcb/3");
  EXPECT_EQ(ids({.to = WallTime{std::chrono::seconds{20}}}), "a/1");
  EXPECT_EQ(ids({.engine = "llama.cpp",
                 .prompt_text = "why",
                 .from = WallTime{std::chrono::seconds{15}},
                 .order = RunOrder::energy}),
            "b/1");
}

}  // namespace
}  // namespace enprof
