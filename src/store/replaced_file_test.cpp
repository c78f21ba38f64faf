// Files that are replaced while programs have them open, or after these programs were killed.
#include "enprof/store/profile_database.hpp"

#include "store/log_owner.hpp"
#include "store/run_lock.hpp"
#include "store/step_store.hpp"
#include "support/manual_clock.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using testing::sample_run;

class ReplacedFile : public ::testing::Test {
 protected:
  [[nodiscard]] static ProfileDatabase open(const fs::path& path,
                                            const DatabaseOptions& options = {}) {
    auto database = ProfileDatabase::connect(path, options);
    EXPECT_TRUE(database) << database.error().message;
    return *std::move(database);
  }
  [[nodiscard]] static std::vector<std::string> runs(ProfileDatabase& database) {
    std::vector<std::string> ids;
    const auto list = database.list_runs({.limit = 1000});
    EXPECT_TRUE(list) << list.error().message;
    for (const RunSummary& run : list ? list->runs : std::vector<RunSummary>{}) {
      ids.push_back(run.run_id);
    }
    std::ranges::sort(ids);
    return ids;
  }
  static void expect_good(ProfileDatabase& database) {
    const auto report = database.check();
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->good()) << report->problems.front();
  }
  /// A run that is only in the log: begun, with a long step, and not checkpointed.
  static void begin(ProfileDatabase& database, const std::string& run_id) {
    ProfiledRun run;
    run.run_id = run_id;
    ASSERT_TRUE(StepStore(database).begin_run(run));
    ASSERT_TRUE(StepStore(database).append_steps(
        run_id, std::vector<RunStep>{{0, std::string(50'000, 's')}}));
  }
  /// A program that begins a run and is killed: its log remains.
  static void begin_and_die(const fs::path& path, const std::string& run_id) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto database = ProfileDatabase::connect(path);
      ProfiledRun run;
      run.run_id = run_id;
      const bool begun = database && StepStore(*database).begin_run(run) &&
                         StepStore(*database).append_steps(
                             run_id, std::vector<RunStep>{{0, std::string(50'000, 's')}});
      _exit(begun ? 0 : 1);  // without closing anything
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ASSERT_GT(fs::file_size(path.string() + "-wal"), 0U);
  }

  /// In place, as `cp` does it, and in another process, because locks belong to processes.
  static void copy_over(const fs::path& from, const fs::path& to) {
    const auto before = FileIdentity::of(to);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      std::error_code failed;
      fs::copy_file(from, to, fs::copy_options::overwrite_existing, failed);
      _exit(failed ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ASSERT_EQ(FileIdentity::of(to), before) << "it is the very same file";
  }
  /// As if a copy had been written so long ago: it is taken for whole after a while.
  static void set_age(const fs::path& path, std::chrono::seconds age) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - age);
  }

  const testing::TempDir dir_;
  const fs::path path_ = dir_.path() / "profiles.db";
  const fs::path away_ = dir_.path() / "away.db";
  const fs::path aside_ = path_.string() + "-wal.replaced";
};

TEST_F(ReplacedFile, AMovedFileIsWholeAndCanBePutBack) {
  ProfileDatabase database = open(path_);
  ASSERT_TRUE(database.save_run(sample_run("a")));
  begin(database, "b");
  fs::rename(path_, away_);
  EXPECT_EQ(database.list_runs().error().code, ErrorCode::io);
  {
    SQLite::Database moved(away_.string());
    EXPECT_EQ(moved.execAndGet("SELECT count(*) FROM run_steps").getInt(), 1)
        << "this was only in the log";
  }
  ASSERT_TRUE(database.save_run(sample_run("new"))) << "in a new file";
  begin(database, "newer");

  fs::rename(away_, path_);
  EXPECT_EQ(database.list_runs().error().code, ErrorCode::io);
  EXPECT_EQ(runs(database), (std::vector<std::string>{"a", "b"}));
  expect_good(database);
}

TEST_F(ReplacedFile, ACopyThatIsMovedIntoPlaceKeepsItsContent) {
  ProfileDatabase server = open(path_);
  ASSERT_TRUE(server.save_run(sample_run("old")));
  ASSERT_TRUE(server.backup(away_));
  ASSERT_TRUE(server.save_run(sample_run("newer")));
  begin(server, "newest");
  fs::rename(away_, path_);
  // Another program opens the file before the server has noticed.
  ProfileDatabase other = open(path_);
  expect_good(other);
  EXPECT_EQ(runs(other), std::vector<std::string>{"old"});
  EXPECT_EQ(server.list_runs().error().code, ErrorCode::io);
  ASSERT_TRUE(server.save_run(sample_run("after")));
  EXPECT_EQ(runs(other), (std::vector<std::string>{"after", "old"}));
  expect_good(server);
}

TEST_F(ReplacedFile, TheLogOfAProgramThatWasKilledIsNotReplayedIntoAnotherFile) {
  {
    ProfileDatabase database = open(path_);
    ASSERT_TRUE(database.save_run(sample_run("old")));
    ASSERT_TRUE(database.backup(away_));
  }
  begin_and_die(path_, "victim");
  const fs::path replaced = dir_.path() / "replaced.db";
  fs::rename(path_, replaced);
  fs::rename(away_, path_);
  EXPECT_TRUE(has_foreign_log(path_));
  {
    ProfileDatabase database = open(path_);
    EXPECT_EQ(runs(database), std::vector<std::string>{"old"});
    expect_good(database);
  }
  // Do what the warning says.
  ASSERT_TRUE(fs::exists(aside_));
  fs::rename(aside_, replaced.string() + "-wal");
  ProfileDatabase database = open(replaced);
  EXPECT_EQ(runs(database), (std::vector<std::string>{"old", "victim"}));
  EXPECT_EQ(StepStore(database).read_steps("victim")->size(), 1U);
}

TEST_F(ReplacedFile, ALogWhoseFileIsGoneIsNotDeleted) {
  begin_and_die(path_, "victim");
  fs::rename(path_, away_);
  ProfileDatabase database = open(path_);
  EXPECT_TRUE(runs(database).empty());
  EXPECT_GT(fs::file_size(aside_), 50'000U);
}

TEST_F(ReplacedFile, ALogThatBelongsToItsFileIsRead) {
  begin_and_die(path_, "victim");
  // Files that are copied together still belong together.
  const fs::path copies = dir_.path() / "copies";
  fs::create_directory(copies);
  for (const char* const suffix : {"", "-wal", "-owner"}) {
    fs::copy_file(path_.string() + suffix, copies / (std::string{"profiles.db"} + suffix));
  }
  for (const fs::path& path : {path_, copies / "profiles.db"}) {
    ProfileDatabase database = open(path);
    EXPECT_EQ(runs(database), std::vector<std::string>{"victim"}) << path;
    EXPECT_FALSE(fs::exists(path.string() + "-wal.replaced"));
  }
}

TEST_F(ReplacedFile, NothingIsLeftBesideAFileThatIsClosed) {
  {
    ASSERT_TRUE(open(path_).save_run(sample_run("a")));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 1);
}

TEST_F(ReplacedFile, ALogThatIsDeletedUnderAProgramCostsNothing) {
  ProfileDatabase database = open(path_);
  begin(database, "a");
  fs::remove(path_.string() + "-wal");
  EXPECT_EQ(database.list_runs().error().code, ErrorCode::io);
  EXPECT_EQ(runs(database), std::vector<std::string>{"a"});
  ASSERT_TRUE(database.save_run(sample_run("b")));
  ProfileDatabase other = open(path_);
  EXPECT_EQ(runs(other), (std::vector<std::string>{"a", "b"}));
  expect_good(other);
}

TEST_F(ReplacedFile, ALinkThatLeadsElsewhereIsNoticed) {
  const fs::path link = dir_.path() / "link.db";
  {
    ASSERT_TRUE(open(away_).save_run(sample_run("other")));
  }
  {
    ASSERT_TRUE(open(path_).save_run(sample_run("one")));
  }
  fs::create_symlink(path_, link);
  ProfileDatabase database = open(link);
  EXPECT_EQ(runs(database), std::vector<std::string>{"one"});
  fs::remove(link);
  fs::create_symlink(away_, link);
  EXPECT_EQ(database.list_runs().error().code, ErrorCode::io);
  EXPECT_EQ(runs(database), std::vector<std::string>{"other"});
}

TEST_F(ReplacedFile, ARunIsLockedByWhateverNameItsDatabaseHas) {
  static_cast<void>(open(path_));
  const fs::path link = dir_.path() / "link.db";
  fs::create_symlink(path_, link);
  const auto lock = RunLock::acquire(path_, "r");
  ASSERT_TRUE(lock);
  EXPECT_EQ(RunLock::acquire(link, "r").error().code, ErrorCode::busy);
}

TEST_F(ReplacedFile, AnIdleFileIsClosed) {
  testing::ManualClock clock;
  ProfileDatabase database = open(path_, {.clock = &clock});
  ASSERT_TRUE(database.save_run(sample_run("old")));
  ASSERT_TRUE(database.backup(away_));
  ASSERT_TRUE(database.save_run(sample_run("new")));
  database.tend();
  EXPECT_TRUE(fs::exists(path_.string() + "-wal")) << "it was used just now";
  clock.advance(std::chrono::seconds{2});
  database.tend();
  EXPECT_FALSE(fs::exists(path_.string() + "-wal"));
  // In place, as cp does it: the inode stays.
  fs::copy_file(away_, path_, fs::copy_options::overwrite_existing);
  EXPECT_EQ(runs(database), std::vector<std::string>{"old"});
  expect_good(database);

  clock.advance(std::chrono::seconds{2});
  database.tend();
  fs::rename(away_, path_);
  ASSERT_TRUE(database.save_run(sample_run("after"))) << "without a failure in between";
  EXPECT_EQ(runs(database), (std::vector<std::string>{"after", "old"}));
}

TEST_F(ReplacedFile, ACopyOverAFileThatIsInUseIsNoticedAndStaysWhole) {
  for (const bool reads_first : {true, false}) {
    SCOPED_TRACE(reads_first);
    const fs::path path = dir_.path() / (reads_first ? "read.db" : "written.db");
    const fs::path copy = path.string() + ".copy";
    const fs::path aside = path.string() + "-wal.replaced";
    ProfileDatabase database = open(path);
    ASSERT_TRUE(database.save_run(sample_run("old")));
    ASSERT_TRUE(database.backup(copy));
    ASSERT_TRUE(database.save_run(sample_run("newer")));
    begin(database, "newest");
    EXPECT_EQ(runs(database).size(), 3U);
    copy_over(copy, path);
    const Error lost =
        reads_first ? database.list_runs().error() : database.save_run(sample_run("no")).error();
    EXPECT_EQ(lost.code, ErrorCode::io);
    EXPECT_NE(lost.message.find("was overwritten while it was open"), std::string::npos)
        << lost.message;
    EXPECT_NE(lost.hint.find("enprof db restore FILE --db"), std::string::npos) << lost.hint;
    EXPECT_GT(fs::file_size(aside), 0U) << "it is not replayed into the copy";
    set_age(path, std::chrono::seconds{1});
    EXPECT_EQ(runs(database), std::vector<std::string>{"old"});
    expect_good(database);
    ASSERT_TRUE(database.save_run(sample_run("after")));
    ProfileDatabase other = open(path);
    EXPECT_EQ(runs(other), (std::vector<std::string>{"after", "old"}));
    expect_good(other);
  }
}

TEST_F(ReplacedFile, AProgramThatEndsLeavesACopyOverItsFileAsItIs) {
  {
    ProfileDatabase database = open(path_);
    ASSERT_TRUE(database.save_run(sample_run("old")));
    ASSERT_TRUE(database.backup(away_));
    ASSERT_TRUE(database.save_run(sample_run("newer")));
    begin(database, "newest");
    copy_over(away_, path_);
  }
  EXPECT_EQ(testing::read_file(path_), testing::read_file(away_));
  EXPECT_TRUE(fs::exists(aside_));
  ProfileDatabase database = open(path_);
  EXPECT_EQ(runs(database), std::vector<std::string>{"old"});
  expect_good(database);
}

/// Another process, which takes its next step when told to.
class OtherProgram {
 public:
  template <class... Steps>
  explicit OtherProgram(Steps&&... steps) {
    if (pipe(orders_.data()) != 0 || pipe(answers_.data()) != 0) {
      return;
    }
    child_ = fork();
    if (child_ == 0) {
      const auto obey = [&](auto& step) {
        char order = 0;
        const bool good = read(orders_[0], &order, 1) == 1 && step();
        const char answer = good ? 'y' : 'n';
        return write(answers_[1], &answer, 1) == 1 && good;
      };
      _exit((obey(steps) && ...) ? 0 : 1);
    }
  }
  OtherProgram(const OtherProgram&) = delete;
  OtherProgram& operator=(const OtherProgram&) = delete;
  ~OtherProgram() {
    for (const int descriptor : {orders_[0], orders_[1], answers_[0], answers_[1]}) {
      close(descriptor);
    }
    waitpid(child_, nullptr, 0);
  }
  /// False if the next step fails.
  [[nodiscard]] bool next() {
    char answer = 'n';
    return write(orders_[1], "x", 1) == 1 && read(answers_[0], &answer, 1) == 1 && answer == 'y';
  }

 private:
  std::array<int, 2> orders_{-1, -1};
  std::array<int, 2> answers_{-1, -1};
  pid_t child_ = -1;
};

TEST_F(ReplacedFile, EachProgramThatHasTheFileOpenNoticesThatItWasWrittenOver) {
  std::optional<ProfileDatabase> second;
  OtherProgram other(
      [&] {
        second = open(path_);
        return second->save_run(sample_run("newer")).has_value();
      },
      [&] { return !second->list_runs().has_value(); },
      [&] {
        set_age(path_, std::chrono::seconds{1});
        return runs(*second) == std::vector<std::string>{"after", "old"} && second->check()->good();
      });
  ProfileDatabase first = open(path_);
  ASSERT_TRUE(first.save_run(sample_run("old")));
  ASSERT_TRUE(first.backup(away_));
  ASSERT_TRUE(other.next());
  EXPECT_EQ(runs(first).size(), 2U);
  begin(first, "newest");
  copy_over(away_, path_);
  EXPECT_FALSE(first.list_runs());
  set_age(path_, std::chrono::seconds{1});
  EXPECT_EQ(runs(first), std::vector<std::string>{"old"});
  ASSERT_TRUE(first.save_run(sample_run("after")));
  EXPECT_TRUE(other.next()) << "its log belongs to the previous file";
  EXPECT_TRUE(other.next());
  expect_good(first);
}

TEST_F(ReplacedFile, HalfACopyIsNotOpened) {
  ProfileDatabase database = open(path_);
  ASSERT_TRUE(database.save_run(sample_run("old")));
  ASSERT_TRUE(database.backup(away_));
  ASSERT_TRUE(database.save_run(sample_run("newer")));
  const std::string copy = testing::read_file(away_);
  dir_.write("half", copy.substr(0, copy.size() / 2));
  copy_over(dir_.path() / "half", path_);
  EXPECT_FALSE(database.list_runs());
  set_age(path_, std::chrono::seconds{0});
  EXPECT_EQ(database.list_runs().error().code, ErrorCode::busy);
  EXPECT_EQ(fs::file_size(path_), copy.size() / 2);
  copy_over(away_, path_);
  set_age(path_, std::chrono::seconds{1});
  EXPECT_EQ(runs(database), std::vector<std::string>{"old"});
  expect_good(database);
}

TEST_F(ReplacedFile, TheLogOfAProgramThatWasKilledIsNotReplayedIntoAnOlderCopyInPlace) {
  {
    ProfileDatabase database = open(path_);
    ASSERT_TRUE(database.save_run(sample_run("old")));
    ASSERT_TRUE(database.backup(away_));
    ASSERT_TRUE(database.save_run(sample_run("newer")));
  }
  begin_and_die(path_, "victim");
  copy_over(away_, path_);
  ProfileDatabase database = open(path_);
  EXPECT_EQ(runs(database), std::vector<std::string>{"old"});
  expect_good(database);
  EXPECT_TRUE(fs::exists(aside_));
}

TEST_F(ReplacedFile, WhatOtherProgramsWriteIsNotTakenForACopy) {
  ProfileDatabase first = open(path_);
  ProfileDatabase second = open(path_);
  for (int round = 0; round < 20; ++round) {
    ProfileDatabase& writer = round % 2 == 0 ? first : second;
    ASSERT_TRUE(writer.save_run(sample_run("r" + std::to_string(round))));
    if (round % 5 == 4) {
      ASSERT_TRUE(writer.vacuum());
      ASSERT_TRUE(writer.delete_run("r" + std::to_string(round - 4)));
    }
    if (round == 10) {
      const fs::path copy = dir_.path() / "copy.db";
      ASSERT_TRUE(first.backup(copy));
      ASSERT_TRUE(ProfileDatabase::restore(path_, copy));
    }
    const auto seen = first.list_runs();
    ASSERT_TRUE(seen) << seen.error().message;
    const auto again = second.list_runs();
    ASSERT_TRUE(again) << again.error().message;
  }
}

}  // namespace
}  // namespace enprof
