#include "store/restore.hpp"

#include "enprof/store/profile_database.hpp"

#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using testing::sample_run;

class Restore : public ::testing::Test {
 protected:
  [[nodiscard]] static ProfileDatabase open(const fs::path& path) {
    auto database = ProfileDatabase::connect(path);
    EXPECT_TRUE(database) << database.error().message;
    return *std::move(database);
  }
  [[nodiscard]] static std::size_t count(ProfileDatabase& database) {
    const auto list = database.list_runs();
    EXPECT_TRUE(list) << list.error().message;
    return list ? list->total : 0;
  }
  /// Makes a database with the runs a and b, and a copy from when it had only a.
  void make_both() const {
    ProfileDatabase database = open(path_);
    ASSERT_TRUE(database.save_run(sample_run("a")));
    ASSERT_TRUE(database.backup(copy_));
    ASSERT_TRUE(database.save_run(sample_run("b")));
  }

  const testing::TempDir dir_;
  const fs::path path_ = dir_.path() / "profiles.db";
  const fs::path copy_ = dir_.path() / "copy.db";
  const fs::path kept_ = path_.string() + ".before-restore";
};

TEST_F(Restore, ProgramsThatHaveItOpenSeeTheCopyAndGoOn) {
  make_both();
  ProfileDatabase server = open(path_);
  EXPECT_EQ(count(server), 2U);
  const auto report = ProfileDatabase::restore(path_, copy_);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->runs, 1U);
  EXPECT_EQ(report->kept, kept_);
  EXPECT_EQ(count(server), 1U);
  EXPECT_EQ(**server.get_run("a"), sample_run("a"));
  ASSERT_TRUE(server.save_run(sample_run("c")));
  EXPECT_TRUE(server.check()->good());
  ProfileDatabase before = open(kept_);
  EXPECT_EQ(count(before), 2U) << "what was there";
  // Again: no kept file is overwritten.
  const auto again = ProfileDatabase::restore(path_, kept_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->kept, kept_.string() + "-2");
  EXPECT_EQ(count(server), 2U);
}

TEST_F(Restore, WaitsForAWriterAndNotForAReader) {
  make_both();
  SQLite::Database reader(path_.string(), SQLite::OPEN_READWRITE);
  reader.exec("BEGIN");
  EXPECT_EQ(reader.execAndGet("SELECT count(*) FROM runs").getInt(), 2);
  const auto report = ProfileDatabase::restore(path_, copy_);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(reader.execAndGet("SELECT count(*) FROM runs").getInt(), 2)
      << "a reader keeps its snapshot";
  reader.exec("COMMIT");
  EXPECT_EQ(reader.execAndGet("SELECT count(*) FROM runs").getInt(), 1);
}

TEST_F(Restore, WithoutADatabaseTheCopyBecomesIt) {
  make_both();
  const fs::path elsewhere = dir_.path() / "new" / "profiles.db";
  const auto report = ProfileDatabase::restore(elsewhere, copy_);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->kept);
  ProfileDatabase database = open(elsewhere);
  EXPECT_EQ(count(database), 1U);
}

TEST_F(Restore, ADamagedDatabaseIsMovedAway) {
  make_both();
  std::ofstream(path_, std::ios::binary) << std::string(8192, 'x');
  const auto report = ProfileDatabase::restore(path_, copy_);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->kept, kept_);
  EXPECT_EQ(testing::read_file(kept_), std::string(8192, 'x'));
  ProfileDatabase database = open(path_);
  EXPECT_EQ(count(database), 1U);
}

TEST_F(Restore, AnOlderCopyIsBroughtUpToDate) {
  make_both();
  fs::copy_file(ENPROF_TEST_DATA "/profiles_v1.db", dir_.path() / "v1.db");
  ProfileDatabase server = open(path_);
  const auto report = ProfileDatabase::restore(path_, dir_.path() / "v1.db");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->runs, 2U);
  EXPECT_EQ(server.stats()->schema_version, ProfileDatabase::kSchemaVersion);
  ASSERT_TRUE(server.save_run(sample_run("new")));
}

TEST_F(Restore, ABadCopyIsRefusedAndNothingChanges) {
  make_both();
  const auto refused = [&](const fs::path& copy, ErrorCode code, std::string_view why) {
    const auto report = ProfileDatabase::restore(path_, copy);
    ASSERT_FALSE(report) << copy;
    EXPECT_EQ(report.error().code, code) << report.error().message;
    EXPECT_NE(report.error().message.find(why), std::string::npos) << report.error().message;
    EXPECT_FALSE(report.error().hint.empty());
    EXPECT_EQ(report.error().hint.find("--db PATH"), std::string::npos) << report.error().hint;
    EXPECT_EQ(report.error().hint.find("mv "), std::string::npos) << report.error().hint;
    ProfileDatabase database = open(path_);
    EXPECT_EQ(count(database), 2U);
    EXPECT_FALSE(fs::exists(kept_));
  };
  refused(dir_.path() / "none.db", ErrorCode::not_found, "There is no copy");
  refused(path_, ErrorCode::invalid_argument, "is the database itself");
  refused(dir_.write("text", std::string(5000, 'x')), ErrorCode::corrupt, "is not a database");
  refused(dir_.write("empty", ""), ErrorCode::invalid_argument, "nothing to restore");
  {
    SQLite::Database other((dir_.path() / "other.db").string(),
                           SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    other.exec("CREATE TABLE things (a)");
  }
  refused(dir_.path() / "other.db", ErrorCode::invalid_argument, "another program");
  // A page in its middle is overwritten.
  std::fstream(copy_, std::ios::binary | std::ios::in | std::ios::out)
          .seekp(std::streamoff{3} * 4096)
      << std::string(4096, '\xEE');
  refused(copy_, ErrorCode::corrupt, "is damaged");
}

}  // namespace
}  // namespace enprof
