// Databases that may be read but not written.
#include "enprof/base/log.hpp"
#include "enprof/store/profile_database.hpp"

#include "store/database_file.hpp"
#include "store/step_store.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"
#include "support/tmpfs.hpp"
#include "support/unprivileged.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using testing::sample_run;

constexpr DatabaseOptions kToRead{.access = Access::read_only};

std::map<std::string, std::string> files(const fs::path& directory) {
  std::map<std::string, std::string> result;
  for (const auto& entry : fs::directory_iterator(directory)) {
    result[entry.path().filename()] = testing::read_file(entry.path());
  }
  return result;
}

class ReadOnly : public ::testing::Test {
 protected:
  const testing::TempDir dir_;
  const fs::path path_ = dir_.path() / "what? 100% #1.db";
};

TEST_F(ReadOnly, AllCanBeReadAndNothingChanges) {
  {
    ASSERT_TRUE(ProfileDatabase::connect(path_)->save_run(sample_run("a")));
  }
  const auto before = files(dir_.path());
  {
    auto database = ProfileDatabase::connect(path_, kToRead);
    ASSERT_TRUE(database) << database.error().message;
    EXPECT_EQ(database->list_runs()->total, 1U);
    EXPECT_EQ(**database->get_run("a"), sample_run("a"));
    EXPECT_EQ(database->resolve("last"), "a");
    EXPECT_TRUE(database->check()->good());
    EXPECT_FALSE(database->save_run(sample_run("b")));
    EXPECT_FALSE(database->delete_run("a"));
    EXPECT_EQ(database->list_runs()->total, 1U);
  }
  EXPECT_EQ(files(dir_.path()), before);
}

TEST_F(ReadOnly, WhatAnotherProgramHasInItsLogIsReadToo) {
  auto writer = ProfileDatabase::connect(path_);
  ASSERT_TRUE(writer);
  ProfiledRun begun;
  begun.run_id = "r";
  ASSERT_TRUE(StepStore(*writer).begin_run(begun));
  auto database = ProfileDatabase::connect(path_, kToRead);
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_EQ(database->list_runs()->total, 1U);
}

TEST_F(ReadOnly, ALogThatCannotBeReadIsReported) {
  const fs::path taken = dir_.path() / "taken.db";
  {
    auto writer = ProfileDatabase::connect(path_);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->save_run(sample_run("a")));
    ProfiledRun begun;
    begun.run_id = "r";
    ASSERT_TRUE(StepStore(*writer).begin_run(begun));
    // The files that a killed program leaves, without the index of the log.
    fs::copy_file(path_, taken);
    fs::copy_file(path_.string() + "-wal", taken.string() + "-wal");
  }
  const fs::path log = dir_.path() / "log";
  ASSERT_TRUE(set_log_file(log));
  set_log_level(LogLevel::warning);
  auto database = ProfileDatabase::connect(taken, kToRead);
  set_log_level(LogLevel::off);
  const std::string said = testing::read_file(log);
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_EQ(database->list_runs()->total, 1U);
  EXPECT_NE(said.find("which cannot be read here: they are not shown"), std::string::npos) << said;
}

TEST_F(ReadOnly, AnOlderFileSaysWhatToDo) {
  fs::copy_file(ENPROF_TEST_DATA "/profiles_v1.db", path_);
  const auto before = files(dir_.path());
  const auto database = ProfileDatabase::connect(path_, kToRead);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, ErrorCode::unsupported);
  EXPECT_NE(database.error().message.find("may not migrate this file"), std::string::npos)
      << database.error().message;
  EXPECT_NE(database.error().hint.find("cp "), std::string::npos);
  EXPECT_EQ(files(dir_.path()), before);
  EXPECT_EQ(ProfileDatabase::connect(dir_.path() / "none.db", kToRead).error().code,
            ErrorCode::not_found);
}

TEST_F(ReadOnly, OfAnotherUser) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "only root can make files of another user";
  }
  {
    ASSERT_TRUE(ProfileDatabase::connect(path_)->save_run(sample_run("a")));
  }
  ASSERT_EQ(chmod(path_.c_str(), S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH), 0);
  ASSERT_EQ(chmod(dir_.path().c_str(), S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH), 0);
  const testing::Unprivileged user;
  ASSERT_TRUE(testing::Unprivileged::works());
  EXPECT_FALSE(may_write_database(path_));
  const auto refused = ProfileDatabase::connect(path_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::permission_denied);
  EXPECT_NE(refused.error().hint.find("It belongs to user root"), std::string::npos)
      << refused.error().hint;
  EXPECT_NE(refused.error().hint.find("enprof runs --db"), std::string::npos);
  EXPECT_EQ(refused.error().hint.find("chmod"), std::string::npos)
      << "this user may not change the mode";
  auto database = ProfileDatabase::connect(path_, kToRead);
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_EQ(database->list_runs()->total, 1U);
}

TEST_F(ReadOnly, OnAFileSystemThatIsMountedReadOnly) {
  const testing::Tmpfs tmpfs("1m");
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  const fs::path path = tmpfs.path() / "profiles.db";
  {
    ASSERT_TRUE(ProfileDatabase::connect(path)->save_run(sample_run("a")));
  }
  if (!tmpfs.make_read_only()) {
    GTEST_SKIP() << "the file system cannot be made read-only here";
  }
  EXPECT_FALSE(may_write_database(path));
  auto database = ProfileDatabase::connect(path, kToRead);
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_EQ(**database->get_run("a"), sample_run("a"));
  const testing::TempDir other;
  ASSERT_TRUE(database->backup(other.path() / "copy.db"));
  EXPECT_EQ(ProfileDatabase::connect(other.path() / "copy.db")->list_runs()->total, 1U);
}

}  // namespace
}  // namespace enprof
