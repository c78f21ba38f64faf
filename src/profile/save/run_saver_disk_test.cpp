// Runs on disks that are full.
#include "profile/save/run_recovery.hpp"
#include "store/run_lock.hpp"
#include "support/run_saver_fixture.hpp"
#include "support/tmpfs.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using testing::RunSaverTest;
using testing::TemporaryDirectory;

/// A disk that fills up at every step of a run, then has room again.
TEST_F(RunSaverTest, AFullDiskAtAnyStepLosesNothingThatWasSaved) {
  for (std::size_t fill_after = 0; fill_after < 4; ++fill_after) {
    SCOPED_TRACE(fill_after);
    std::optional<TemporaryDirectory> usual{std::in_place, "/tmp"};
    const testing::Tmpfs tmpfs("1m");
    usual.reset();
    if (!tmpfs.mounted()) {
      GTEST_SKIP() << tmpfs.why_not();
    }
    auto database = ProfileDatabase::connect(tmpfs.path() / "profiles.db", impatient());
    ASSERT_TRUE(database) << database.error().message;
    std::string run_id;
    ProfiledRun result;
    {
      const auto saver = profiler(*database);
      RunScope run = saver->run({.prompt = "Hi", .model_name = "m"});
      run_id = run.id();
      for (std::size_t step = 0; step < 4; ++step) {
        if (step == fill_after) {
          fill(tmpfs.path() / "ballast", 0);
        }
        decode(run, 4, "some text");
        save_step();
        if (step < fill_after) {
          EXPECT_EQ(saved_tokens(*database, run_id), 4 * (step + 1));
        }
      }
      // A small step may still fit into what the database has.
      for (int step = 0; step < 1000 && trouble().empty(); ++step) {
        save_step();
      }
      EXPECT_FALSE(trouble().empty());
      result = run.finish();
    }
    EXPECT_NE(has_warning(result, "journaled"), has_warning(result, "not_saved"));
    EXPECT_EQ(result.totals.output_tokens, 16U);
    // The database is as good as it was, and works again with the space.
    fs::remove(tmpfs.path() / "ballast");
    const auto checked = database->check();
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_TRUE(checked->good());
    const RecoveryReport report = recover_runs(*database);
    for (const Error& error : report.errors) {
      ADD_FAILURE() << error.message;
    }
    const auto run = database->get_run(run_id);
    ASSERT_TRUE(run) << run.error().message;
    // In a journal or in memory: it is whole.
    ASSERT_TRUE(*run);
    EXPECT_EQ((*run)->tokens.size(), 16U);
    EXPECT_EQ((*run)->status, result.status);
    EXPECT_FALSE(fs::exists(journal_directory(tmpfs.path() / "profiles.db")));
    const std::lock_guard lock(mutex_);
    trouble_.clear();
  }
}

/// The disk has no room for all of the run once more.
TEST_F(RunSaverTest, AJournalThatCannotBeWrittenAnewKeepsWhatItHas) {
  std::optional<TemporaryDirectory> usual{std::in_place, "/tmp"};
  const testing::Tmpfs tmpfs("4m");
  usual.reset();
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  const fs::path path = tmpfs.path() / "profiles.db";
  auto database = ProfileDatabase::connect(path, impatient());
  ASSERT_TRUE(database) << database.error().message;
  const auto saver = profiler(*database);
  take_away(path);
  RunScope run = saver->run({.prompt = std::string(1U << 20U, 'p'), .model_name = "m"});
  decode(run, 4);
  EXPECT_EQ(trouble(), std::vector<std::string>{"journal_in_use"});
  fill(tmpfs.path() / "ballast", 512U << 10U);
  decode(run, 4);
  const ProfiledRun result = run.finish();
  EXPECT_TRUE(has_warning(result, "not_saved"));
  EXPECT_FALSE(has_warning(result, "journaled"));
  const fs::path journal = list_journals(path).at(0);
  const std::string kept_lines = testing::read_file(journal);

  fs::remove(tmpfs.path() / "ballast");
  put_back(path);
  const RecoveryReport report = recover_runs(*database);
  for (const Error& error : report.errors) {
    ADD_FAILURE() << error.message;
  }
  ASSERT_EQ(report.runs.size(), 1U);
  EXPECT_EQ((*database->get_run(run.id()))->status, result.status) << "from memory";
  EXPECT_FALSE(fs::exists(journal));

  // As if the program had been killed instead; where there is more room.
  ProfileDatabase other = connect();
  dir_.write(fs::relative(journal_path(path_, run.id()), dir_.path()), kept_lines);
  const RecoveryReport again = recover_runs(other);
  ASSERT_EQ(again.runs.size(), 1U);
  EXPECT_TRUE(again.runs[0].from_journal);
  const auto kept = other.get_run(run.id());
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->status, RunStatus::interrupted);
  EXPECT_EQ((*kept)->tokens.size(), 8U);
  EXPECT_EQ((*kept)->prompt.size(), 1U << 20U);
}

}  // namespace
}  // namespace enprof
