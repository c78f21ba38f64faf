#include "store/database_glance.hpp"

#include "enprof/store/profile_database.hpp"

#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace enprof {
namespace {

using ::testing::HasSubstr;

class DatabaseGlanceTest : public ::testing::Test {
 protected:
  /// Names and contents of all files in the directory.
  [[nodiscard]] std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      result[entry.path().filename()] = testing::read_file(entry.path());
    }
    return result;
  }

  const testing::TempDir dir_;
  const std::filesystem::path path_ = dir_.path() / "what? 100% #1.db";
};

TEST_F(DatabaseGlanceTest, AnOlderFileStaysAsItIs) {
  std::filesystem::copy_file(ENPROF_TEST_DATA "/profiles_v1.db", path_);
  const auto before = files();
  const auto glance = glance_at(path_);
  ASSERT_TRUE(glance) << glance.error().message;
  EXPECT_EQ(glance->schema_version, 1);
  EXPECT_EQ(glance->runs, 2U);
  EXPECT_EQ(files(), before);
}

TEST_F(DatabaseGlanceTest, RunsThatAreStillInTheLogCount) {
  auto database = ProfileDatabase::connect(path_);
  ASSERT_TRUE(database);
  EXPECT_EQ(glance_at(path_)->runs, 0U);
  ASSERT_TRUE(database->save_run(testing::sample_run()));
  const auto glance = glance_at(path_);
  ASSERT_TRUE(glance) << glance.error().message;
  EXPECT_EQ(glance->runs, 1U);
  EXPECT_EQ(glance->schema_version, ProfileDatabase::kSchemaVersion);
}

TEST_F(DatabaseGlanceTest, NothingIsLeftBesideAFileThatIsNotOpen) {
  ASSERT_TRUE(ProfileDatabase::connect(path_)->save_run(testing::sample_run()));
  const auto before = files();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(glance_at(path_)->runs, 1U);
  EXPECT_EQ(files(), before);
}

TEST_F(DatabaseGlanceTest, WhatConnectingWouldRefuseIsRefused) {
  EXPECT_EQ(glance_at(path_).error().code, ErrorCode::not_found);
  EXPECT_TRUE(files().empty());
  EXPECT_EQ(glance_at(dir_.path()).error().code, ErrorCode::invalid_argument);

  ASSERT_TRUE(ProfileDatabase::connect(path_));
  const auto exec = [&](const char* statement) {
    SQLite::Database(path_.string(), SQLite::OPEN_READWRITE).exec(statement);
  };
  exec("DROP TABLE tags");
  EXPECT_EQ(glance_at(path_).error().code, ErrorCode::corrupt);
  exec("PRAGMA user_version = 41");
  EXPECT_EQ(glance_at(path_).error().code, ErrorCode::unsupported);
  exec("PRAGMA application_id = 77");
  EXPECT_THAT(glance_at(path_).error().message, HasSubstr("another program"));
  dir_.write(path_.filename(), std::string(5000, 'x'));
  EXPECT_THAT(glance_at(path_).error().message, HasSubstr("not a database"));
}

TEST_F(DatabaseGlanceTest, AFileWithoutTablesHasNoRuns) {
  dir_.write(path_.filename(), "");
  const auto glance = glance_at(path_);
  ASSERT_TRUE(glance) << glance.error().message;
  EXPECT_EQ(glance->schema_version, 0);
  EXPECT_EQ(glance->runs, 0U);
}

}  // namespace
}  // namespace enprof
