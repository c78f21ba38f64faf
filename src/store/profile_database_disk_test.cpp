// The database on disks that are full or read-only.
#include "enprof/store/profile_database.hpp"

#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"
#include "support/tmpfs.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using testing::sample_run;

/// The run that is stored under an id; errors fail the test.
std::optional<ProfiledRun> stored(ProfileDatabase& database, std::string_view run_id) {
  auto run = database.get_run(run_id);
  EXPECT_TRUE(run) << run.error().message;
  return run ? *std::move(run) : std::nullopt;
}

TEST(ProfileDatabaseDisk, AFullDiskTakesTheWholeRunBack) {
  const testing::Tmpfs tmpfs("1m");
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  auto database = ProfileDatabase::connect(tmpfs.path() / "profiles.db");
  ASSERT_TRUE(database) << database.error().message;
  ASSERT_TRUE(database->save_run(sample_run("small")));
  const auto free_before = fs::space(tmpfs.path()).available;

  ProfiledRun large = sample_run("large");
  large.power.samples.resize(100'000, large.power.samples[1]);
  const auto saved = database->save_run(large);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::too_large) << saved.error().message;
  EXPECT_NE(saved.error().message.find("is full ("), std::string::npos) << saved.error().message;
  EXPECT_NE(saved.error().message.find(" free, about 6.9 MiB needed"), std::string::npos)
      << saved.error().message;
  EXPECT_NE(saved.error().hint.find("df -h " + tmpfs.path().string()), std::string::npos);

  // None of it is stored, the space is free again, and the next run is saved.
  EXPECT_EQ(stored(*database, "large"), std::nullopt);
  EXPECT_GE(fs::space(tmpfs.path()).available, free_before);
  EXPECT_EQ(stored(*database, "small"), sample_run("small"));
  EXPECT_TRUE(database->save_run(sample_run("next")));
}

TEST(ProfileDatabaseDisk, OnAFullDiskConnectLeavesNothing) {
  int refusals = 0;
  int connections = 0;
  for (int kilobytes = 4; kilobytes <= 320; kilobytes += 4) {  // each time it gets one step further
    const testing::Tmpfs tmpfs(std::to_string(kilobytes) + "k");
    if (!tmpfs.mounted()) {
      GTEST_SKIP() << tmpfs.why_not();
    }
    auto database = ProfileDatabase::connect(tmpfs.path() / "sub" / "profiles.db");
    if (database) {
      ++connections;
      EXPECT_TRUE(database->list_runs()) << kilobytes;
      continue;
    }
    ++refusals;
    EXPECT_EQ(database.error().code, ErrorCode::too_large) << database.error().message;
    EXPECT_TRUE(fs::is_empty(tmpfs.path())) << kilobytes;
  }
  EXPECT_GT(refusals, 5);
  EXPECT_GT(connections, 5);
}

TEST(ProfileDatabaseDisk, FillsUpAtAnyStepAndStaysWhole) {
  const testing::Tmpfs tmpfs("1m");
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  auto database = ProfileDatabase::connect(tmpfs.path() / "profiles.db");
  ASSERT_TRUE(database);
  ProfiledRun run = sample_run();
  run.power.samples.resize(500, run.power.samples[1]);
  std::size_t stored = 0;
  for (int index = 0; index < 300; ++index) {
    run.run_id = "run" + std::to_string(index);
    const auto saved = database->save_run(run);
    if (saved) {
      ++stored;
      continue;
    }
    ASSERT_EQ(saved.error().code, ErrorCode::too_large) << saved.error().message;
  }
  EXPECT_GT(stored, 5U);
  EXPECT_LT(stored, 300U);
  const auto list = database->list_runs({.limit = 1000});
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->total, stored);
  for (const RunSummary& summary : list->runs) {
    const auto read = database->get_run(summary.run_id);
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((*read)->power.samples, run.power.samples);
  }
}

/// Writes to a file until the disk is full.
void fill(const fs::path& file) {
  std::ofstream ballast(file, std::ios::binary);
  for (std::size_t piece = 4096; piece > 0; piece /= 4096) {
    while (ballast << std::string(piece, 'b') << std::flush) {
    }
    ballast.clear();
  }
}

TEST(ProfileDatabaseDisk, WithoutAByteLeftItIsReadAsItIsAndOpenedAsSoonAsThereIsRoom) {
  const testing::Tmpfs tmpfs("1m");
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  const fs::path path = tmpfs.path() / "profiles.db";
  {
    ASSERT_TRUE(ProfileDatabase::connect(path)->save_run(sample_run("a")));
  }
  fill(tmpfs.path() / "ballast");
  ASSERT_EQ(fs::space(tmpfs.path()).available, 0U);
  const auto refused = ProfileDatabase::connect(path);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::too_large) << refused.error().message;
  EXPECT_NE(refused.error().hint.find("df -h"), std::string::npos) << refused.error().hint;
  EXPECT_EQ(refused.error().hint.find("prune"), std::string::npos) << "pruning needs room";
  {
    auto database = ProfileDatabase::connect(path, {.access = Access::read_only});
    ASSERT_TRUE(database) << database.error().message;
    EXPECT_EQ(stored(*database, "a"), sample_run("a"));
  }
  auto later = ProfileDatabase::connect_later(path);
  EXPECT_EQ(later.path(), path);
  EXPECT_EQ(later.save_run(sample_run("b")).error().code, ErrorCode::too_large);
  EXPECT_EQ(later.list_runs().error().code, ErrorCode::too_large);
  fs::remove(tmpfs.path() / "ballast");
  const auto saved = later.save_run(sample_run("b"));
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(later.list_runs()->total, 2U);
  EXPECT_TRUE(later.check()->good());
}

TEST(ProfileDatabaseDisk, ALimitOnTheSizeOfFilesIsNamedWhicheverFileItIs) {
  ASSERT_NE(std::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  ProfiledRun large = sample_run("large");
  large.power.samples.resize(10'000, large.power.samples[1]);
  for (const rlim_t kibibytes : {1U, 16U, 64U, 100U, 200U}) {
    SCOPED_TRACE(kibibytes);
    const testing::TempDir dir;
    {
      ASSERT_TRUE(ProfileDatabase::connect(dir.path() / "profiles.db"));
    }
    rlimit limit = old;
    limit.rlim_cur = kibibytes << 10U;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    auto database = ProfileDatabase::connect(dir.path() / "profiles.db");
    const Error error = database ? database->save_run(large).error() : database.error();
    database = ProfileDatabase{};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_EQ(error.code, ErrorCode::too_large) << error.message;
    EXPECT_NE(error.message.find("would exceed the limit on file sizes"), std::string::npos)
        << error.message;
    EXPECT_NE(error.hint.find("ulimit"), std::string::npos) << error.hint;
    EXPECT_TRUE(ProfileDatabase::connect(dir.path() / "profiles.db")->check()->good());
  }
}

TEST(ProfileDatabaseDisk, AReadOnlyPlaceIsRefused) {
  const testing::Tmpfs tmpfs("1m");
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  const fs::path path = tmpfs.path() / "profiles.db";
  ASSERT_TRUE(ProfileDatabase::connect(path));
  if (!tmpfs.make_read_only()) {
    GTEST_SKIP() << "the file system cannot be made read-only here";
  }
  for (const fs::path& file : {path, tmpfs.path() / "new.db", tmpfs.path() / "sub" / "new.db"}) {
    const auto database = ProfileDatabase::connect(file);
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, ErrorCode::permission_denied) << database.error().message;
    EXPECT_NE(database.error().message.find("Read-only file system"), std::string::npos)
        << database.error().message;
    EXPECT_NE(database.error().hint.find("--db"), std::string::npos);
  }
}

}  // namespace
}  // namespace enprof
