#include "store/run_pages.hpp"

#include "enprof/store/profile_database.hpp"

#include "store/step_store.hpp"
#include "support/operation_sums.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using testing::sample_run;

class RunPages : public ::testing::Test {
 protected:
  void save(const ProfiledRun& run) {
    const auto saved = database_.save_run(run);
    ASSERT_TRUE(saved) << saved.error().message;
  }
  RunHead head(const std::string& id) {
    auto found = database_.run_head(id);
    EXPECT_TRUE(found && *found);
    return **std::move(found);
  }
  /// All rows of a list, read in pages. `rows` picks the list out of a page.
  template <class Rows>
  auto read(const RunHead& head, RunRows list, std::size_t at_a_time, Rows rows) {
    std::decay_t<std::invoke_result_t<Rows, const ProfiledRun&>> result;
    RunPlace place;
    while (true) {
      auto page = database_.read_page(head, list, place, at_a_time);
      EXPECT_TRUE(page) << page.error().message;
      if (!page || page->rows == 0) {
        return result;
      }
      auto some = rows(page->run);
      EXPECT_EQ(some.size(), page->rows);
      EXPECT_LE(some.size(), at_a_time);
      std::ranges::move(some, std::back_inserter(result));
      place = page->next;
    }
  }
  void expect_whole(const ProfiledRun& run, std::size_t at_a_time) {
    const RunHead whole = head(run.run_id);
    const auto expect = [&](RunRows list, auto rows) {
      EXPECT_TRUE(read(whole, list, at_a_time, rows) == rows(run))
          << "list " << static_cast<int>(list) << ", " << at_a_time << " at a time";
    };
    expect(RunRows::tokens, [](const ProfiledRun& r) { return r.tokens; });
    expect(RunRows::layers, [](const ProfiledRun& r) { return r.layers; });
    expect(RunRows::components, [](const ProfiledRun& r) { return r.components; });
    expect(RunRows::operations, [](const ProfiledRun& r) { return r.operations; });
    expect(RunRows::operation_kinds,
           [](const ProfiledRun& r) { return r.operation_table.operations; });
    expect(RunRows::operation_events,
           [](const ProfiledRun& r) { return r.operation_table.events; });
    expect(RunRows::activations, [](const ProfiledRun& r) { return r.values.activations; });
    expect(RunRows::attention, [](const ProfiledRun& r) { return r.values.attention; });
    expect(RunRows::experts, [](const ProfiledRun& r) { return r.values.experts; });
    expect(RunRows::power_samples, [](const ProfiledRun& r) { return r.power.samples; });
    expect(RunRows::sensor_readings, [](const ProfiledRun& r) { return r.power.readings; });
  }
  void edit(const char* sql) const {
    SQLite::Database raw(path_.string(), SQLite::OPEN_READWRITE);
    raw.exec("PRAGMA foreign_keys = OFF");
    raw.exec(sql);
  }

  const testing::TempDir dir_;
  const std::filesystem::path path_ = dir_.path() / "profiles.db";
  ProfileDatabase database_ = ProfileDatabase::connect(path_).value();
};

TEST_F(RunPages, TogetherAreTheRun) {
  ProfiledRun run = sample_run("long");
  testing::lengthen(run, 300);
  save(sample_run("before"));
  save(run);
  save(sample_run("after"));
  for (const std::size_t at_a_time : {1U, 4U, 7U, 299U, 300U, 301U, 100'000U}) {
    expect_whole(run, at_a_time);
  }
  expect_whole(sample_run("before"), 5);
  save({.run_id = "bare"});
  expect_whole({.run_id = "bare"}, 5);
}

TEST_F(RunPages, TheHeadIsTheRestOfTheRun) {
  ProfiledRun run = sample_run("r");
  save(run);
  const RunHead found = head("r");
  EXPECT_EQ(found.operations, run.operation_table.operations.size());
  run.tokens.clear();
  run.layers.clear();
  run.components.clear();
  run.operations.clear();
  run.operation_table = {};
  run.values.activations.clear();
  run.values.attention.clear();
  run.values.experts.clear();
  run.power.samples.clear();
  run.power.readings.clear();
  EXPECT_EQ(found.run, run);
  EXPECT_FALSE(database_.run_head("none").value());
}

TEST_F(RunPages, ADeletedOrReplacedRunIsNoLongerRead) {
  save(sample_run("r"));
  const RunHead deleted = head("r");
  ASSERT_TRUE(database_.delete_run("r").value());
  const auto none = database_.read_page(deleted, RunRows::tokens, {}, 10);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::not_found);

  save(sample_run("other"));  // it may get the key of the deleted run
  EXPECT_FALSE(database_.read_page(deleted, RunRows::tokens, {}, 10));

  ASSERT_TRUE(StepStore(database_).begin_run(sample_run("making")));
  const RunHead begun = head("making");
  EXPECT_TRUE(database_.read_page(begun, RunRows::tokens, {}, 10));
  save(sample_run("making"));
  EXPECT_FALSE(database_.read_page(begun, RunRows::tokens, {}, 10));
}

TEST_F(RunPages, RowsThatPointNowhereAreDamage) {
  save(sample_run("r"));
  edit("UPDATE power_samples SET domain = 77 WHERE position = 3");
  edit("UPDATE operation_metrics SET operation = 99 WHERE position = 1");
  edit("UPDATE moe_expert_activations SET position = 1 WHERE rank = 1");
  edit("DELETE FROM moe_routings WHERE position = 1");
  const RunHead found = head("r");
  for (const RunRows list : {RunRows::power_samples, RunRows::operation_events, RunRows::experts}) {
    const auto page = database_.read_page(found, list, {}, 100);
    const bool all_there = page && list == RunRows::experts && page->rows == 1;
    EXPECT_TRUE(all_there || (!page && page.error().code == ErrorCode::corrupt))
        << static_cast<int>(list);
  }
}

TEST_F(RunPages, OperationsAreSummedOverTheRequestedPasses) {
  ProfiledRun run = sample_run("r");
  testing::lengthen(run, 500);
  save(sample_run("before"));
  save(run);
  for (const PassRange& range :
       {PassRange{}, PassRange{.first = 0, .last = 0}, PassRange{.first = -1, .last = -1},
        PassRange{.first = 1}, PassRange{.last = 0}, PassRange{.first = 5, .last = 2},
        PassRange{.phase = Phase::prefill}, PassRange{.phase = Phase::decode, .last = 0},
        PassRange{.first = -1, .last = 1}}) {
    const auto found = database_.operation_sums("r", range);
    ASSERT_TRUE(found && *found);
    const OperationSums expected = testing::sums_of(run, range);
    EXPECT_EQ((*found)->operations, expected.operations);
    ASSERT_EQ((*found)->sums.size(), expected.sums.size());
    for (std::size_t index = 0; index < expected.sums.size(); ++index) {
      const OperationSum& sum = (*found)->sums[index];
      EXPECT_EQ(sum.phase, expected.sums[index].phase);
      EXPECT_EQ(sum.operation, expected.sums[index].operation);
      EXPECT_EQ(sum.count, expected.sums[index].count);
      EXPECT_EQ(sum.duration, expected.sums[index].duration);
      ASSERT_EQ(sum.energy.has_value(), expected.sums[index].energy.has_value());
      if (sum.energy) {
        EXPECT_NEAR(sum.energy->value(), expected.sums[index].energy->value(), 1e-12);
      }
    }
  }
  EXPECT_FALSE(database_.operation_sums("none").value());
}

TEST_F(RunPages, ValuesAreThoseOfTheRequestedPasses) {
  const ProfiledRun run = sample_run("r");
  save(run);
  const auto all = database_.sampled_values("r").value();
  EXPECT_EQ(all->activations, run.values.activations);
  EXPECT_EQ(all->attention, run.values.attention);
  const auto prompt = database_.sampled_values("r", {.first = -1, .last = -1}).value();
  EXPECT_EQ(prompt->activations, std::vector{run.values.activations[0]});
  EXPECT_TRUE(prompt->attention.empty());
  const auto decode = database_.sampled_values("r", {.phase = Phase::decode}).value();
  EXPECT_EQ(decode->activations, std::vector{run.values.activations[1]});
  const auto first = database_.sampled_values("r", {.first = 1, .last = 1}).value();
  EXPECT_EQ(first->attention, run.values.attention);
  EXPECT_TRUE(first->activations.empty());
  EXPECT_FALSE(database_.sampled_values("none").value());
}

/// Checks with SQLite's own query plan how it finds the rows of a token.
TEST_F(RunPages, ATokensRowsAreFoundByAnIndex) {
  save(sample_run("r"));
  SQLite::Database raw(path_.string(), SQLite::OPEN_READONLY);
  for (const std::string table : {"operation_passes", "activation_metrics", "attention_metrics"}) {
    for (const char* const condition : {"token BETWEEN 3 AND 4", "token IS NULL"}) {
      SQLite::Statement plan(raw, "EXPLAIN QUERY PLAN SELECT phase FROM " + table + " INDEXED BY " +
                                      table + "_by_token WHERE run_key = 1 AND " + condition);
      ASSERT_TRUE(plan.executeStep());
      EXPECT_NE(plan.getColumn(3).getString().find(table + "_by_token (run_key=? AND token"),
                std::string::npos)
          << plan.getColumn(3).getString();
    }
  }
}

TEST_F(RunPages, LinesOfRunsAreReadUntilTheirTextsAreLongEnough) {
  for (const char* const id : {"a", "b", "c", "d"}) {
    ProfiledRun run = sample_run(id);
    run.prompt = std::string(1000, *id);
    save(run);
  }
  const RunIds found = database_.find_runs({.ascending = true, .limit = 3}).value();
  EXPECT_EQ(found.total, 4U);
  EXPECT_EQ(found.ids, (std::vector<std::string>{"a", "b", "c"}));
  const auto some = database_.summaries(found.ids, 1).value();
  EXPECT_EQ(some.asked, 1U);
  ASSERT_EQ(some.runs.size(), 1U);
  EXPECT_EQ(some.runs[0], database_.summary("a").value());
  ASSERT_TRUE(database_.delete_run("b").value());
  const auto all = database_.summaries(found.ids, 1'000'000).value();
  EXPECT_EQ(all.asked, 3U);
  EXPECT_EQ(all.runs.size(), 2U);
}

}  // namespace
}  // namespace enprof
