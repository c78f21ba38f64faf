#include "store/run_writer.hpp"

#include "enprof/store/profile_database.hpp"

#include "store/sqlite_error.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Transaction.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using testing::sample_run;

TEST(RunWriter, ChecksWhatThePlacesInListsPointAt) {
  EXPECT_TRUE(check_run(sample_run()));
  const auto refused = [](auto&& spoil, std::string_view why) {
    ProfiledRun run = sample_run();
    spoil(run);
    const auto good = check_run(run);
    ASSERT_FALSE(good) << why;
    EXPECT_EQ(good.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(good.error().message.find(why), std::string::npos) << good.error().message;
  };
  refused([](ProfiledRun& run) { run.run_id.clear(); }, "it has no id");
  refused([](ProfiledRun& run) { run.power.samples[3].domain = 4; },
          "power sample 3 refers to power domain 4, but the run has 4");
  refused([](ProfiledRun& run) { run.power.domains[2].domain.parent = 9; },
          "domain dram-0 refers to power domain 9");
  refused([](ProfiledRun& run) { run.power.peak->by_domain.resize(5); }, "the peak");
}

TEST(RunWriter, ARunThatBreaksAForeignKeyLeavesNothing) {
  const testing::TempDir dir;
  const auto path = dir.path() / "profiles.db";
  ASSERT_TRUE(ProfileDatabase::connect(path));
  SQLite::Database database(path.string(), SQLite::OPEN_READWRITE);
  database.exec("PRAGMA foreign_keys = ON");

  const auto save = [&](const ProfiledRun& run) {
    return guarded({.path = path, .what = "save run " + run.run_id}, [&]() -> Result<void> {
      SQLite::Transaction transaction(database);
      write_run(database, run);
      transaction.commit();
      return {};
    });
  };
  ProfiledRun sample_of_no_domain = sample_run();
  sample_of_no_domain.power.samples[3].domain = 4;
  ProfiledRun domain_of_no_domain = sample_run();
  domain_of_no_domain.power.domains[2].domain.parent = 9;
  for (const ProfiledRun& run : {sample_of_no_domain, domain_of_no_domain}) {
    const auto saved = save(run);
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(saved.error().message.find("save run 5eed0123456789ab"), std::string::npos);
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM runs").getInt(), 0);
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM tokens").getInt(), 0);
  }
  EXPECT_TRUE(save(sample_run()));
}

TEST(RunWriter, KnowsAboutHowManyBytesARunTakes) {
  const testing::TempDir dir;
  const auto path = dir.path() / "profiles.db";
  ProfiledRun run = sample_run();
  const TokenFigure token = run.tokens[1];
  const PowerSample sample = run.power.samples[5];
  run.tokens.assign(2000, token);
  run.power.samples.assign(20'000, sample);
  {
    auto database = ProfileDatabase::connect(path);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->save_run(run));
  }
  const auto empty = 120'000U;  // the tables without rows
  const std::uintmax_t estimate = bytes_to_save(run) / 2;
  const std::uintmax_t file = std::filesystem::file_size(path);
  EXPECT_LT(file, estimate + empty);
  EXPECT_GT(file, estimate * 3 / 4);
}

}  // namespace
}  // namespace enprof
