#include "store/housekeeping.hpp"

#include "enprof/store/profile_database.hpp"

#include "store/step_store.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"
#include "support/tmpfs.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using testing::sample_run;

class Housekeeping : public ::testing::Test {
 protected:
  void save(const std::string& run_id, std::chrono::days age = std::chrono::days{0}) {
    ProfiledRun run = sample_run(run_id);
    run.started_at =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) - age;
    const auto saved = database_.save_run(run);
    ASSERT_TRUE(saved) << saved.error().message;
  }
  static std::string ids(const Result<std::vector<RunSummary>>& runs) {
    EXPECT_TRUE(runs) << runs.error().message;
    std::string text;
    for (const RunSummary& run : *runs) {
      text += run.run_id + " ";
    }
    return text;
  }
  void edit(const std::string& sql) const {
    SQLite::Database raw(path_.string(), SQLite::OPEN_READWRITE);
    raw.exec("PRAGMA foreign_keys = OFF; " + sql);
  }

  const testing::TempDir dir_;
  const fs::path path_ = dir_.path() / "profiles.db";
  ProfileDatabase database_ = ProfileDatabase::connect(path_).value();
};

TEST_F(Housekeeping, StatsCountRunsAndRows) {
  save("a");
  save("b");
  ASSERT_TRUE(StepStore(database_).begin_run({.run_id = "c"}));
  dir_.write("profiles.db.journal/x.jsonl", "{}\n");
  const auto stats = database_.stats();
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->runs, 3U);
  EXPECT_EQ(stats->schema_version, ProfileDatabase::kSchemaVersion);
  EXPECT_EQ(stats->runs_by_status,
            (std::vector<std::pair<std::string, std::size_t>>{{"completed", 2}, {"running", 1}}));
  EXPECT_EQ(std::ranges::find(stats->rows, "tokens", [](auto& row) { return row.first; })->second,
            6U);
  EXPECT_GT(stats->file_bytes, 100'000U);
  EXPECT_EQ(stats->journals, 1U);
  EXPECT_TRUE(stats->oldest && stats->newest);
}

TEST_F(Housekeeping, PruneListsRunsAndDeletesThemOnlyWithApply) {
  save("old", std::chrono::days{40});
  save("older", std::chrono::days{50});
  save("new");
  save("newer");
  ASSERT_TRUE(StepStore(database_).begin_run({.run_id = "running"}));  // started in 1970, and being
                                                                       // written
  EXPECT_EQ(ids(database_.prune({}, true)), "");
  EXPECT_EQ(ids(database_.prune({.max_age = std::chrono::days{30}}, false)), "older old ");
  EXPECT_EQ(ids(database_.prune({.max_age = std::chrono::days{45}, .max_runs = 3}, false)),
            "older ");
  EXPECT_EQ(ids(database_.prune({.max_runs = 1}, false)), "older old new ");
  EXPECT_EQ(database_.list_runs()->total, 5U);
  EXPECT_EQ(ids(database_.prune({.max_age = std::chrono::days{30}}, true)), "older old ");
  EXPECT_EQ(database_.list_runs()->total, 3U);
  EXPECT_EQ(ids(database_.prune({.max_runs = 0}, true)), "new newer ");
  EXPECT_EQ(StepStore(database_).unfinished_runs()->size(), 1U);
}

TEST_F(Housekeeping, VacuumGivesTheSpaceBack) {
  for (int index = 0; index < 20; ++index) {
    ProfiledRun run = sample_run("r" + std::to_string(index));
    run.power.samples.resize(2000, run.power.samples[1]);
    ASSERT_TRUE(database_.save_run(run));
  }
  ASSERT_TRUE(database_.prune({.max_runs = 1}, true));
  const auto before = file_bytes(path_);
  EXPECT_GT(database_.stats()->free_bytes, before / 2);
  ASSERT_TRUE(database_.vacuum());
  EXPECT_LT(file_bytes(path_), before / 2);
  EXPECT_TRUE(database_.check()->good());
}

TEST_F(Housekeeping, ABackupIsWholeWhileOthersWrite) {
  save("first");
  std::atomic<bool> done = false;
  const std::jthread writer([&] {
    ProfileDatabase other = ProfileDatabase::connect(path_).value();
    for (int index = 0; !done; ++index) {
      EXPECT_TRUE(other.save_run(sample_run("w" + std::to_string(index))));
    }
  });
  for (int copy = 0; copy < 5; ++copy) {
    const fs::path target = dir_.path() / "copies" / (std::to_string(copy) + ".db");
    const auto copied = database_.backup(target);
    ASSERT_TRUE(copied) << copied.error().message;
    auto opened = ProfileDatabase::connect(target);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(opened->check()->good());
    const RunList list = opened->list_runs({.limit = 5}).value();
    for (const RunSummary& run : list.runs) {
      ProfiledRun expected = sample_run(run.run_id);
      const auto read = opened->get_run(run.run_id);
      if (run.run_id != "first") {
        EXPECT_EQ(**read, expected);
      }
    }
  }
  done = true;
}

TEST_F(Housekeeping, ABackupOverwritesNothingAndLeavesNothingHalf) {
  save("a");
  const auto refused = database_.backup(path_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(refused.error().message.find("exists"), std::string::npos);

  const testing::Tmpfs tmpfs("64k");
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  const auto full = database_.backup(tmpfs.path() / "copy.db");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::too_large) << full.error().message;
  EXPECT_TRUE(fs::is_empty(tmpfs.path()));
  EXPECT_TRUE(database_.check()->good());
}

TEST_F(Housekeeping, CheckFindsWhatForeignKeysWouldHaveKeptOut) {
  save("a");
  EXPECT_TRUE(database_.check()->good());
  edit("INSERT INTO tags VALUES (99, 0, 'orphan')");
  edit("DELETE FROM names WHERE name = 'q_proj'");
  edit("DELETE FROM operation_kinds WHERE operation = 5");
  const auto report = database_.check();
  ASSERT_TRUE(report);
  const auto has = [&](std::string_view part) {
    return std::ranges::any_of(report->problems, [&](const std::string& problem) {
      return problem.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(has("rows of tags that refer to missing rows of runs: 1"));
  EXPECT_TRUE(has("values of component that refer to missing rows of names"));
  EXPECT_TRUE(has("values of operation that refer to missing rows of operation_kinds"));
}

TEST_F(Housekeeping, CheckFindsDamagedPages) {
  ProfiledRun run = sample_run();
  run.power.samples.resize(10'000, run.power.samples[1]);
  ASSERT_TRUE(database_.save_run(run));
  database_ = {};
  std::string content = testing::read_file(path_);
  content.replace(content.size() - 20UL * 4096, 4096, 4096, '\xFF');
  dir_.write("profiles.db", content);
  auto database = ProfileDatabase::connect(path_);
  ASSERT_TRUE(database);
  const auto report = database->check();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->good());
}

// ---- salvage ------------------------------------------------------------------------------------

class Salvage : public Housekeeping {
 protected:
  [[nodiscard]] fs::path target() const { return dir_.path() / "saved.db"; }
  void damage(const std::string& content, std::size_t page) const {
    std::string bad = content;
    bad.replace(page * 4096, 4096, 4096, '\xFF');
    dir_.write("profiles.db", bad);
    for (const char* const suffix : {"-wal", "-shm"}) {
      fs::remove(path_.string() + suffix);
    }
  }
};

TEST_F(Salvage, AGoodFileIsCopiedWhole) {
  save("a");
  save("b");
  const fs::path partial = target().string() + ".partial";
  std::ofstream{partial} << "of a program that was killed";
  const auto report = ProfileDatabase::salvage(path_, target());
  EXPECT_FALSE(fs::exists(partial));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->damaged.empty());
  EXPECT_EQ(report->orphans, 0U);
  auto saved = ProfileDatabase::connect(target());
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->get_run("a"), database_.get_run("a"));
  EXPECT_EQ(saved->get_run("b"), database_.get_run("b"));
  EXPECT_EQ(ProfileDatabase::salvage(path_, target()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(ProfileDatabase::salvage(dir_.path() / "none.db", dir_.path() / "x.db").error().code,
            ErrorCode::not_found);
}

/// Whichever page is lost, what is saved is an undamaged database without invented rows.
TEST_F(Salvage, WhicheverPageIsLostTheRestIsGood) {
  for (const char* const id : {"a", "b", "c"}) {
    ProfiledRun run = sample_run(id);
    run.power.samples.resize(300, run.power.samples[1]);
    for (int copy = 0; copy < 5; ++copy) {
      const auto events = run.operation_table.events;
      run.operation_table.events.insert(run.operation_table.events.end(), events.begin(),
                                        events.begin() + 10);
    }
    ASSERT_TRUE(database_.save_run(run));
  }
  database_ = {};
  const std::string content = testing::read_file(path_);
  int whole = 0;
  for (std::size_t page = 0; page < content.size() / 4096; ++page) {
    damage(content, page);
    fs::remove(target());
    const auto report = ProfileDatabase::salvage(path_, target());
    if (!report) {
      EXPECT_EQ(report.error().code, ErrorCode::corrupt) << report.error().message;
      EXPECT_FALSE(fs::exists(target()));
      continue;
    }
    auto saved = ProfileDatabase::connect(target());
    ASSERT_TRUE(saved) << saved.error().message;
    const auto checked = saved->check();
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_TRUE(checked->good()) << page << ": " << checked->problems.front();
    const RunList list = saved->list_runs().value_or(RunList{});
    for (const RunSummary& line : list.runs) {
      const auto run = saved->get_run(line.run_id);
      EXPECT_TRUE(run) << page << ": " << run.error().message;
      if (run && *run) {
        whole += (*run)->warnings == sample_run().warnings ? 1 : 0;
        for (const OperationEvent& event : (*run)->operation_table.events) {
          EXPECT_LT(event.operation, (*run)->operation_table.operations.size());
        }
      }
    }
  }
  EXPECT_GT(whole, 20) << "some pages belong to one run only";
}

TEST_F(Salvage, AFileThatIsNotADatabaseCannotBeSalvaged) {
  database_ = {};
  dir_.write("profiles.db", std::string(10'000, 'x'));
  const auto report = ProfileDatabase::salvage(path_, target());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::corrupt);
  EXPECT_FALSE(fs::exists(target()));
}

}  // namespace
}  // namespace enprof
