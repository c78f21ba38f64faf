#include "profile/save/run_elsewhere.hpp"

#include "profile/save/run_recovery.hpp"
#include "store/step_store.hpp"
#include "support/run_saver_fixture.hpp"
#include "support/tmpfs.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryDirectory;

class RunElsewhereTest : public testing::RunSaverTest {
 protected:
  /// A run that ends where neither the database nor its journals can be written.
  ProfiledRun end_without_a_place() {
    ProfiledRun result;
    {
      ProfileDatabase database = connect();
      const auto saver = profiler(database);
      RunScope run = saver->run({.model_name = "m"});
      clock_.settle();
      EXPECT_FALSE(StepStore(database).read_steps(run.id())->empty());
      take_all_away(run.id());
      decode(run, 3);
      result = run.finish();
    }
    give_back(result.run_id);
    EXPECT_TRUE(has_warning(result, "saved_elsewhere"));
    return result;
  }
};

TEST_F(RunElsewhereTest, TheNextProgramBringsItIn) {
  const TemporaryDirectory set(dir_.path());
  ProfiledRun expected = end_without_a_place();
  expected.warnings.pop_back();
  ProfileDatabase database = connect();
  const RecoveryReport report = recover_runs(database);
  ASSERT_EQ(report.runs.size(), 1U);
  EXPECT_TRUE(report.runs[0].from_journal);
  EXPECT_EQ(report.runs[0].status, RunStatus::completed);
  EXPECT_EQ(**database.get_run(expected.run_id), expected);
  EXPECT_FALSE(fs::exists(dir_.path() / ("enprof-" + expected.run_id + ".jsonl")));
}

TEST_F(RunElsewhereTest, WhatIsNotWholeOrNotOursIsLeftAlone) {
  const TemporaryDirectory set(dir_.path());
  const ProfiledRun result = end_without_a_place();
  const fs::path file = dir_.path() / ("enprof-" + result.run_id + ".jsonl");
  const fs::path moved = dir_.path() / "moved";
  fs::rename(file, moved);
  fs::create_symlink(moved, file);  // whoever may write there could lead anywhere
  ProfileDatabase database = connect();
  ASSERT_EQ(recover_runs(database).runs.size(), 1U);
  EXPECT_EQ((*database.summary(result.run_id))->status, RunStatus::interrupted);
  EXPECT_TRUE(fs::exists(moved));
}

TEST_F(RunElsewhereTest, AProgramThatLooksElsewhereIsToldWhereItIs) {
  const fs::path elsewhere = dir_.path() / "elsewhere";
  fs::create_directory(elsewhere);
  std::optional<TemporaryDirectory> set{std::in_place, elsewhere};
  const ProfiledRun result = end_without_a_place();
  set.reset();
  const fs::path file = elsewhere / ("enprof-" + result.run_id + ".jsonl");
  EXPECT_NE(result.warnings.back().message.find(file.string()), std::string::npos);
  EXPECT_NE(result.warnings.back().hint.find("enprof db import --db " + path_.string() + " " +
                                             file.string()),
            std::string::npos)
      << result.warnings.back().hint;
  // The program has ended; the next one closes what is in the database of it.
  ProfileDatabase database = connect();
  EXPECT_EQ(recover_runs(database).runs.size(), 1U);
  EXPECT_EQ((*database.summary(result.run_id))->status, RunStatus::interrupted);
  const std::vector<fs::path> files{file};
  EXPECT_EQ(recover_runs(database, files).runs.size(), 1U);
  ProfiledRun expected = result;
  expected.warnings.pop_back();
  EXPECT_EQ(**database.get_run(result.run_id), expected);
  EXPECT_FALSE(fs::exists(file));
  EXPECT_TRUE(fs::exists(elsewhere));
}

TEST(RunElsewhere, ADirectoryHasRoomWhereItHasAndMayBeWritten) {
  const testing::TempDir dir;
  EXPECT_TRUE(has_room_for_a_run(dir.path()));
  EXPECT_FALSE(has_room_for_a_run(dir.path() / "none"));
  const testing::Tmpfs tmpfs("512k");
  if (tmpfs.mounted()) {
    EXPECT_FALSE(has_room_for_a_run(tmpfs.path()));
  }
}

}  // namespace
}  // namespace enprof
