#include "server/named_run.hpp"

#include "server/run_queue.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>

namespace enprof {
namespace {

using ::testing::HasSubstr;

class NamedRunTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_) << store_.error().message; }

  void save(const std::string& id, WallTime began) {
    ProfiledRun run = testing::sample_run();
    run.run_id = id;
    run.started_at = began;
    ASSERT_TRUE(store_->save_run(run));
  }
  /// The first task runs until it is cancelled; the others wait.
  void submit(const std::string& id) {
    ASSERT_TRUE(queue_.submit({.run_id = id}));
    testing::wait_until("the first order runs", [this] { return !queue_.running().empty(); });
  }
  [[nodiscard]] std::string found(const std::string& name) {
    const auto run = named_run(*store_, queue_, name);
    return run ? run->run_id + " " + run->status : run.error().message;
  }

  testing::TempDir directory_;
  Result<ProfileDatabase> store_ = ProfileDatabase::connect(directory_.path() / "profiles.db");
  RunQueue queue_{4,
                  [](const RunTask&, const std::stop_token& stop) {
                    testing::wait_until("the order is to end",
                                        [&] { return stop.stop_requested(); });
                  },
                  [](const RunTask&, RunQueue::Reason) {}};
  WallTime noon_{std::chrono::hours{12}};
};

TEST_F(NamedRunTest, SavedRunsAreFoundByIdPrefixAndLast) {
  save("aa01", noon_);
  save("ab02", noon_ + std::chrono::hours{1});
  EXPECT_EQ(found("aa01"), "aa01 completed");
  EXPECT_EQ(found("ab"), "ab02 completed");
  EXPECT_EQ(found("last"), "ab02 completed");
  EXPECT_THAT(found("a"), HasSubstr("2 runs begin with a"));
  EXPECT_EQ(named_run(*store_, queue_, "b").error().code, ErrorCode::not_found);
  EXPECT_EQ(named_run(*store_, queue_, "").error().code, ErrorCode::invalid_argument);
}

TEST_F(NamedRunTest, ThoseThatRunOrWaitAreFoundBeforeTheyAreSaved) {
  save("aa01", noon_);
  submit("ab02");
  submit("ac03");
  EXPECT_EQ(found("last"), "ab02 running");
  EXPECT_EQ(found("ab"), "ab02 running");
  EXPECT_EQ(found("ac03"), "ac03 queued");
  EXPECT_EQ(found("ac"), "ac03 queued");
  EXPECT_EQ(found("aa"), "aa01 completed");
}

TEST_F(NamedRunTest, AnAmbiguousPrefixIsAnError) {
  save("aa01", noon_);
  submit("aa02");
  submit("ab03");
  const auto run = named_run(*store_, queue_, "aa");
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(run.error().message, HasSubstr("2 runs begin with aa"));
  EXPECT_THAT(run.error().hint, HasSubstr("aa02, aa01"));
  EXPECT_THAT(found("a"), HasSubstr("3 runs begin with a"));
}

TEST_F(NamedRunTest, AnIdIsMeantAlthoughOthersBeginWithIt) {
  save("aa", noon_);
  submit("aa02");
  EXPECT_EQ(found("aa"), "aa completed");
}

TEST_F(NamedRunTest, ARunUnderWayThatIsSavedAlreadyIsOne) {
  save("aa01", noon_);
  submit("aa01");
  EXPECT_EQ(found("aa"), "aa01 running");
}

}  // namespace
}  // namespace enprof
