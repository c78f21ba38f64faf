#include "profile/save/run_attempt.hpp"

#include "profile/save/run_recovery.hpp"
#include "store/run_lock.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RunAttemptTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "p.db"; }
  [[nodiscard]] RunAttempt begin(const std::string& run_id) const {
    auto attempt = RunAttempt::begin(path(), {.run_id = run_id,
                                              .prompt = "Why?\n",
                                              .model_name = "m.gguf",
                                              .tags = {"a"},
                                              .depth = Depth::deep});
    EXPECT_TRUE(attempt) << attempt.error().message;
    return *std::move(attempt);
  }
  static void write_reason(const RunAttempt& attempt, std::string_view reason) {
    EXPECT_EQ(::write(attempt.descriptor(), reason.data(), reason.size()),
              static_cast<ssize_t>(reason.size()));
  }

  const testing::TempDir directory_;
};

TEST_F(RunAttemptTest, LeavesNothingWhereItsProcessEndsItInOrder) {
  {
    const RunAttempt attempt = begin("4f2a");
    EXPECT_FALSE(std::filesystem::is_empty(journal_directory(path())));
  }
  EXPECT_FALSE(std::filesystem::exists(journal_directory(path())));
}

TEST_F(RunAttemptTest, OneThatLivesIsLeftAlone) {
  const RunAttempt attempt = begin("4f2a");
  EXPECT_THAT(take_left_attempts(path()), IsEmpty());
  EXPECT_FALSE(std::filesystem::is_empty(journal_directory(path())));
}

TEST_F(RunAttemptTest, OneThatIsGoneLeavesWhatItWasAsked) {
  RunAttempt attempt = begin("4f2a");
  attempt.leave();  // as the end of its process does
  const auto left = take_left_attempts(path());
  ASSERT_THAT(left, SizeIs(1));
  const ProfiledRun& run = left.front().run;
  EXPECT_EQ(run.run_id, "4f2a");
  EXPECT_EQ(run.prompt, "Why?\n");
  EXPECT_EQ(run.model.name, "m.gguf");
  EXPECT_EQ(run.depth, Depth::deep);
  EXPECT_THAT(run.tags, ElementsAre("a"));
  EXPECT_EQ(left.front().reason, "");
}

TEST_F(RunAttemptTest, AModelThatEndedTheProgramIsAFailedRunWithTheReason) {
  auto database = ProfileDatabase::connect(path());
  ASSERT_TRUE(database);
  RunAttempt attempt = begin("4f2a");
  write_reason(attempt, "llama.cpp gave up: ops.cpp:1: GGML_ASSERT(x) failed\n");
  attempt.leave();
  const RecoveryReport report = recover_runs(*database);
  ASSERT_THAT(report.runs, SizeIs(1));
  EXPECT_EQ(report.runs.front().status, RunStatus::failed);
  EXPECT_THAT(report.runs.front().reason, HasSubstr("GGML_ASSERT(x)"));
  const auto run = database->get_run("4f2a");
  ASSERT_TRUE(run && *run);
  EXPECT_EQ((*run)->status, RunStatus::failed);
  EXPECT_EQ((*run)->finish_reason, "error");
  EXPECT_EQ((*run)->prompt, "Why?\n");
  const Warning& last = (*run)->warnings.back();
  EXPECT_EQ(last.code, "program_died");
  EXPECT_THAT(last.message, HasSubstr("with the model m.gguf: llama.cpp gave up"));
  EXPECT_TRUE(recover_runs(*database).empty());
  EXPECT_FALSE(std::filesystem::exists(journal_directory(path())));
}

TEST_F(RunAttemptTest, AProgramThatWasKilledLeavesAnInterruptedRunThatNamesTheModel) {
  auto database = ProfileDatabase::connect(path());
  ASSERT_TRUE(database);
  begin("4f2a").leave();
  ASSERT_THAT(recover_runs(*database).runs, SizeIs(1));
  const auto run = database->get_run("4f2a");
  ASSERT_TRUE(run && *run);
  EXPECT_EQ((*run)->status, RunStatus::interrupted);
  EXPECT_EQ((*run)->warnings.back().code, "program_killed");
  EXPECT_THAT((*run)->warnings.back().message, HasSubstr("with the model m.gguf"));
}

TEST_F(RunAttemptTest, ARunThatWasSavedBeforeTheEndIsLeftAsItIs) {
  auto database = ProfileDatabase::connect(path());
  ASSERT_TRUE(database);
  ProfiledRun run;
  run.run_id = "4f2a";
  run.status = RunStatus::completed;
  ASSERT_TRUE(database->save_run(run));
  begin("4f2a").leave();
  EXPECT_TRUE(recover_runs(*database).empty());
  EXPECT_EQ((*database->get_run("4f2a"))->status, RunStatus::completed);
  EXPECT_FALSE(std::filesystem::exists(journal_directory(path())));
}

TEST_F(RunAttemptTest, OneOfANewerProgramStaysForThat) {
  std::filesystem::create_directory(journal_directory(path()));
  directory_.write("p.db.journal/x.attempt", "{\"version\":99}\n");
  EXPECT_THAT(take_left_attempts(path()), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(journal_directory(path()) / "x.attempt"));
}

TEST_F(RunAttemptTest, GarbageIsTakenAway) {
  std::filesystem::create_directory(journal_directory(path()));
  for (const std::string_view text : {"", "{", "{\"a\":1}\n", "[]\nreason\n"}) {
    directory_.write("p.db.journal/x.attempt", text);
    EXPECT_THAT(take_left_attempts(path()), IsEmpty()) << text;
    EXPECT_FALSE(std::filesystem::exists(journal_directory(path()))) << text;
    std::filesystem::create_directory(journal_directory(path()));
  }
}

}  // namespace
}  // namespace enprof
