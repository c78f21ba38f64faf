#include "profile/run_saver.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "profile/pass_test_support.hpp"
#include "profile/run_recovery.hpp"
#include "profile/step_reader.hpp"
#include "support/fake_source.hpp"
#include "support/temp_dir.hpp"
#include "support/tmpfs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <random>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// A monitor over a fake sensor of 50 W.
std::unique_ptr<PowerMonitor> fake_monitor() {
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<testing::FakeSource>("fake", std::vector<std::string>{"cpu"},
                                                          monotonic_clock(),
                                                          std::make_shared<testing::FakeSensor>()));
  return std::make_unique<PowerMonitor>(std::move(sources));
}

/// Where runs go that nothing else takes, for one test.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const fs::path& path) {
    if (const char* const old = getenv("TMPDIR")) {
      old_ = old;
    }
    setenv("TMPDIR", path.c_str(), 1);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    if (old_) {
      setenv("TMPDIR", old_->c_str(), 1);
    } else {
      unsetenv("TMPDIR");
    }
  }

 private:
  std::optional<std::string> old_;
};

class RunSaverTest : public ::testing::Test {
 protected:
  static DatabaseOptions impatient() { return {.busy_timeout = 20ms}; }

  [[nodiscard]] ProfileDatabase connect() const {
    auto database = ProfileDatabase::connect(path_, impatient());
    EXPECT_TRUE(database) << database.error().message;
    return *std::move(database);
  }
  /// A profiler that saves every two milliseconds.
  [[nodiscard]] std::unique_ptr<InferencePipelineProfiler> profiler(ProfileDatabase& database) {
    return std::make_unique<InferencePipelineProfiler>(
        monitor_.get(), &database,
        ProfilerOptions{.power_interval = 1ms,
                        .save_period = 2ms,
                        .on_trouble = [this](const Warning& warning) {
                          const std::lock_guard lock(mutex_);
                          trouble_.push_back(warning);
                        }});
  }
  static void decode(RunScope& run, int tokens, const char* text = "x") {
    for (int token = 0; token < tokens; ++token) {
      TokenScope scope = run.token(Phase::decode);
      const SectionScope section = run.section(Phase::decode, "forward");
      std::this_thread::sleep_for(1ms);
      scope.set_text(text);
    }
  }
  /// Waits for what a thread does; there is no limit but the test's own.
  template <class Condition>
  static void wait_until(Condition&& condition) {
    while (!condition()) {
      std::this_thread::sleep_for(1ms);
    }
  }
  [[nodiscard]] std::vector<std::string> trouble() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> codes;
    codes.reserve(trouble_.size());
    for (const Warning& warning : trouble_) {
      codes.push_back(warning.code);
    }
    return codes;
  }
  static bool has_warning(const ProfiledRun& run, std::string_view code) {
    return std::ranges::find(run.warnings, code, &Warning::code) != run.warnings.end();
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path())) {
      names.push_back(fs::relative(entry.path(), dir_.path()).string());
    }
    std::ranges::sort(names);
    return names;
  }
  /// Makes every connection fail until put_back(): the file is elsewhere, and in its place there is
  /// what is no file.
  void take_away() const { take_away(path_); }
  static void take_away(const fs::path& database) {
    const fs::path away = database.parent_path() / "away";
    fs::create_directory(away);
    for (const char* const suffix : {"", "-wal", "-shm"}) {
      std::error_code none;
      fs::rename(database.string() + suffix, away / (std::string{"db"} + suffix), none);
    }
    fs::create_directory(database);
  }
  void put_back() const { put_back(path_); }
  static void put_back(const fs::path& database) {
    const fs::path away = database.parent_path() / "away";
    fs::remove(database);
    for (const char* const suffix : {"", "-wal", "-shm"}) {
      std::error_code none;
      fs::rename(away / (std::string{"db"} + suffix), database.string() + suffix, none);
    }
    fs::remove_all(away);
  }
  /// Takes all room of a file system but so much.
  static void fill(const fs::path& file, std::size_t room) {
    {
      std::ofstream ballast(file, std::ios::binary);
      while (ballast) {
        ballast << std::string(4096, 'b') << std::flush;
      }
    }
    fs::resize_file(file, fs::file_size(file) - room);
  }
  /// What could be made of a run that is in the database up to now.
  static Result<RecordedRun> recorded(ProfileDatabase& database, const std::string& run_id) {
    const auto steps = database.read_steps(run_id);
    if (!steps) {
      return std::unexpected(steps.error());
    }
    StepReader reader;
    for (const RunStep& step : *steps) {
      if (auto added = reader.add(step.content); !added) {
        return std::unexpected(added.error());
      }
    }
    return reader.run();
  }
  static std::size_t saved_tokens(ProfileDatabase& database, const std::string& run_id) {
    auto run = recorded(database, run_id);
    return run ? assemble_recorded(*std::move(run)).tokens.size() : 0;
  }

  /// Neither the database nor the run's journal can be written until give_back().
  void take_all_away(const std::string& run_id) const {
    take_away();
    fs::create_directories(journal_path(path_, run_id));
  }
  void give_back(const std::string& run_id) const {
    put_back();
    fs::remove(journal_path(path_, run_id));
  }

  const testing::TempDir dir_;
  const fs::path path_ = dir_.path() / "profiles.db";
  const TemporaryDirectory nowhere_{"/nowhere"};
  std::unique_ptr<PowerMonitor> monitor_ = fake_monitor();
  std::mutex mutex_;
  std::vector<Warning> trouble_;
};

TEST_F(RunSaverTest, ARunIsInTheDatabaseWhileItGoesOnAndWholeAtItsEnd) {
  ProfileDatabase database = connect();
  ProfileDatabase other = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({.prompt = "Hi", .model_name = "m", .tags = {"t"}});
  decode(run, 5);
  wait_until([&] { return other.read_steps(run.id())->size() >= 3; });
  const auto running = other.get_run(run.id());
  ASSERT_TRUE(running && *running);
  EXPECT_EQ((*running)->status, RunStatus::running);
  EXPECT_EQ((*running)->prompt, "Hi");
  EXPECT_EQ((*running)->tags, std::vector<std::string>{"t"});

  // A second program does not take it for one that nobody writes.
  const RecoveryReport report = recover_runs(other);
  EXPECT_EQ(report.in_the_making, 1U);
  EXPECT_TRUE(report.empty());

  const ProfiledRun result = run.finish();
  EXPECT_EQ(**other.get_run(run.id()), result);
  EXPECT_TRUE(other.read_steps(run.id())->empty());
  EXPECT_TRUE(trouble().empty());
  EXPECT_TRUE(recover_runs(other).empty());
  EXPECT_FALSE(fs::exists(journal_directory(path_)));
}

TEST_F(RunSaverTest, ARunThatIsAbandonedLeavesNothing) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({});
  wait_until([&] { return !database.read_steps(run.id())->empty(); });
  run.abandon();
  EXPECT_EQ(database.list_runs()->total, 0U);
  EXPECT_FALSE(fs::exists(journal_directory(path_)));
}

TEST_F(RunSaverTest, WithoutTheDatabaseTheRunGoesIntoAJournalAndIsBroughtIn) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({.prompt = "Hi \xFF", .model_name = "m", .depth = Depth::deep});
  const std::uint32_t plan = run.add_plan(testing::small_plan());
  decode(run, 3);
  wait_until([&] { return !database.read_steps(run.id())->empty(); });
  take_away();
  {
    const SectionScope section = run.section(Phase::decode, "forward");
    PassScope pass = run.pass(plan);
    for (int stamp = 0; stamp < 8; ++stamp) {
      std::this_thread::sleep_for(1ms);
      pass.stamp();
    }
  }
  run.add_values({.every = 4, .passes = 1, .attention = {{.layer = 1, .head = 2}}});
  decode(run, 3, "\xF0\x9F");
  wait_until([&] { return !trouble().empty(); });
  EXPECT_EQ(trouble(), std::vector<std::string>{"journal_in_use"}) << "told at once, and once";
  {
    const std::lock_guard lock(mutex_);
    EXPECT_NE(trouble_[0].message.find(path_.string() + ".journal/" + run.id() + ".jsonl"),
              std::string::npos)
        << trouble_[0].message;
    EXPECT_NE(trouble_[0].hint.find("Nothing is lost"), std::string::npos);
  }
  const ProfiledRun result = run.finish();
  ASSERT_TRUE(has_warning(result, "journaled"));
  EXPECT_FALSE(has_warning(result, "not_saved"));
  EXPECT_FALSE(result.operation_table.events.empty());
  const Warning& warning = result.warnings.back();
  EXPECT_NE(warning.message.find("is a directory"), std::string::npos) << warning.message;
  EXPECT_NE(warning.hint.find("enprof db import --db " + path_.string()), std::string::npos);

  put_back();
  ProfileDatabase again = connect();
  const RecoveryReport report = recover_runs(again);
  for (const Error& error : report.errors) {
    ADD_FAILURE() << error.message;
  }
  ASSERT_EQ(report.runs.size(), 1U);
  EXPECT_EQ(report.runs[0].run_id, run.id());
  EXPECT_TRUE(report.runs[0].from_journal);
  ProfiledRun expected = result;
  expected.warnings.pop_back();  // where it was is of no interest any more
  EXPECT_EQ(**again.get_run(run.id()), expected);
  EXPECT_EQ(files(), (std::vector<std::string>{"profiles.db", "profiles.db-owner",
                                               "profiles.db-shm", "profiles.db-wal"}));
  EXPECT_TRUE(recover_runs(again).empty());
}

TEST_F(RunSaverTest, AJournalIsBroughtInOnce) {
  ProfileDatabase database = connect();
  {
    const auto saver = profiler(database);
    RunScope run = saver->run({.model_name = "m"});
    take_away();
    decode(run, 2);
    run.finish();
    put_back();
    const fs::path journal = list_journals(path_).at(0);
    const std::string content = testing::read_file(journal);
    EXPECT_EQ(recover_runs(database).runs.size(), 1U);
    // As if the program had died after it saved the run and before it took the journal away.
    dir_.write(fs::relative(journal, dir_.path()), content);
  }
  const RecoveryReport report = recover_runs(database);
  EXPECT_EQ(report.already_there, 1U);
  EXPECT_TRUE(report.empty());
  EXPECT_EQ(database.list_runs()->total, 1U);
  EXPECT_TRUE(list_journals(path_).empty());
}

TEST_F(RunSaverTest, ADatabaseThatComesBackTakesTheRun) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({.model_name = "m"});
  take_away();
  decode(run, 2);
  wait_until([&] { return !trouble().empty(); });
  put_back();
  const ProfiledRun result = run.finish();
  EXPECT_FALSE(has_warning(result, "journaled"));
  EXPECT_EQ(**database.get_run(run.id()), result);
  EXPECT_TRUE(list_journals(path_).empty());
}

TEST_F(RunSaverTest, WhereNeitherWorksTheRunIsInMemoryAndSaysSo) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({.model_name = "m"});
  decode(run, 2);
  wait_until([&] { return !database.read_steps(run.id())->empty(); });
  take_away();
  // The lock is in this directory; a file in its place keeps everything out.
  fs::remove_all(journal_directory(path_));
  dir_.write("profiles.db.journal", "");
  decode(run, 3);
  wait_until([&] { return !trouble().empty(); });
  EXPECT_EQ(trouble(), std::vector<std::string>{"memory_only"});
  const ProfiledRun result = run.finish();
  ASSERT_TRUE(has_warning(result, "not_saved"));
  EXPECT_NE(result.warnings.back().message.find("Not a directory"), std::string::npos)
      << result.warnings.back().message;
  EXPECT_NE(result.warnings.back().hint.find("keeps the run in memory"), std::string::npos);
  EXPECT_EQ(result.totals.output_tokens, 5U) << "the data is there";
  EXPECT_TRUE(result.totals.figure.total);

  // It is read as it is, and saved as soon as that is possible.
  EXPECT_TRUE(database.is_unsaved(run.id()));
  EXPECT_EQ(database.health().unsaved_runs, 1U);
  EXPECT_EQ(**database.get_run(run.id()), result);
  EXPECT_EQ((*database.summary(run.id()))->status, RunStatus::completed);
  EXPECT_EQ((*database.pipeline(run.id()))->phases, result.phases);
  put_back();
  fs::remove(path_.string() + ".journal");
  EXPECT_EQ(recover_runs(database).runs.size(), 1U);
  EXPECT_FALSE(database.is_unsaved(run.id()));
  ProfiledRun expected = result;
  expected.warnings.pop_back();
  EXPECT_EQ(**connect().get_run(run.id()), expected);
}

TEST_F(RunSaverTest, ARunThatIsKeptIsListedOnceAndAsItIs) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  const auto profile = [&](const std::string& id, bool saved) {
    RunScope run = saver->run({.run_id = id, .model_name = "m"});
    decode(run, 1);
    wait_until([&] { return !database.read_steps(id)->empty(); });
    if (!saved) {
      take_all_away(id);
    }
    run.finish();
    if (!saved) {
      give_back(id);
    }
  };
  profile("first", true);
  profile("kept", false);
  profile("last", true);  // whose begin brings the kept one in
  EXPECT_FALSE(database.is_unsaved("kept"));
  profile("kept too", false);
  ProfileDatabase other = connect();
  EXPECT_EQ((*other.summary("kept too"))->status, RunStatus::running) << "as far as it is saved";
  EXPECT_EQ(recover_runs(other).in_the_making, 1U) << "it is not taken for one left behind";
  const auto list = database.list_runs();
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->total, 4U);
  ASSERT_EQ(list->runs.size(), 4U);
  EXPECT_EQ(list->runs[0].run_id, "kept too");
  EXPECT_EQ(list->runs[0].status, RunStatus::completed);
  EXPECT_EQ(database.list_runs({.limit = 1, .offset = 1})->runs.at(0).run_id, "last");
  EXPECT_EQ(database.delete_run("kept too"), true);
  EXPECT_EQ(database.list_runs()->total, 3U);
  EXPECT_EQ(other.list_runs()->total, 3U);
}

TEST_F(RunSaverTest, WhatATendedDatabaseKeepsIsSavedByItself) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({.model_name = "m"});
  take_all_away(run.id());
  decode(run, 2);
  run.finish();
  const std::vector<std::string> tags{"tagged while it was in memory"};
  EXPECT_EQ(database.set_tags(run.id(), tags), true);
  EXPECT_EQ((*database.summary(run.id()))->tags, tags);
  give_back(run.id());
  wait_until([&] {
    database.tend();
    return !database.is_unsaved(run.id());
  });
  const auto saved = connect().summary(run.id());
  EXPECT_EQ((*saved)->status, RunStatus::completed);
  EXPECT_EQ((*saved)->tags, tags);
}

class RunElsewhereTest : public RunSaverTest {
 protected:
  /// A run that ends where neither the database nor its journals can be written.
  ProfiledRun end_without_a_place() {
    ProfiledRun result;
    {
      ProfileDatabase database = connect();
      const auto saver = profiler(database);
      RunScope run = saver->run({.model_name = "m"});
      wait_until([&] { return !database.read_steps(run.id())->empty(); });
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

TEST_F(RunSaverTest, AJournalWithoutALineIsNoTrouble) {
  ProfileDatabase database = connect();
  const fs::path empty = dir_.write("profiles.db.journal/r.jsonl", "");
  {
    const auto lock = RunLock::take(path_, "r");
    ASSERT_TRUE(lock);
    EXPECT_TRUE(recover_runs(database).empty());
    EXPECT_TRUE(fs::exists(empty)) << "a living program has it";
  }
  EXPECT_TRUE(recover_runs(database).empty());
  EXPECT_FALSE(fs::exists(empty));
}

TEST_F(RunSaverTest, AJournalThatCannotBeUnderstoodIsToldOnce) {
  ProfileDatabase database = connect();
  const fs::path bad = dir_.write("profiles.db.journal/r.jsonl", "nonsense\n");
  const RecoveryReport report = recover_runs(database);
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_NE(report.errors[0].hint.find(bad.string() + ".unreadable"), std::string::npos)
      << report.errors[0].hint;
  EXPECT_TRUE(recover_runs(database).empty());
  EXPECT_TRUE(fs::exists(bad.string() + ".unreadable"));
}

TEST_F(RunSaverTest, ARunThatIsBeingWrittenCannotBeDeletedByAnother) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({.model_name = "m"});
  wait_until([&] { return !database.read_steps(run.id())->empty(); });
  ProfileDatabase other = connect();
  const auto refused = other.delete_run(run.id());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::busy);
  run.finish();
  EXPECT_EQ(other.delete_run(run.id()), true);
  EXPECT_EQ(database.list_runs()->total, 0U);
}

TEST_F(RunSaverTest, ARunThatIsDeletedDoesNotComeBackFromItsJournal) {
  ProfileDatabase database = connect();
  ProfiledRun left;
  left.run_id = "left";
  ASSERT_TRUE(database.begin_run(left));
  dir_.write("profiles.db.journal/left.jsonl", "{}\n");
  EXPECT_EQ(database.delete_run("left"), true);
  EXPECT_FALSE(fs::exists(journal_directory(path_)));
}

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
    auto database = ProfileDatabase::connect(tmpfs.path() / "profiles.db");
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
        if (step < fill_after) {
          wait_until([&] { return saved_tokens(*database, run_id) >= 4 * (step + 1); });
        }
      }
      wait_until([&] { return !trouble().empty(); });
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
  wait_until([&] { return !trouble().empty(); });
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

TEST_F(RunSaverTest, AJournalThatCannotBeReplacedIsAddedTo) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  take_away();
  RunScope run = saver->run({.model_name = "m"});
  decode(run, 2);
  wait_until([&] { return !trouble().empty(); });
  const fs::path partial = list_journals(path_).at(0).string() + ".partial";
  fs::create_directory(partial);  // where the new one would be written
  decode(run, 2);
  ProfiledRun result = run.finish();
  ASSERT_TRUE(has_warning(result, "journaled"));
  EXPECT_FALSE(has_warning(result, "not_saved"));
  fs::remove(partial);
  put_back();
  EXPECT_EQ(recover_runs(database).runs.size(), 1U);
  result.warnings.pop_back();
  EXPECT_EQ(**database.get_run(run.id()), result);
}

TEST_F(RunSaverTest, OfStepsThatAreDroppedTheOneThatNamesTheRunIsNone) {
  ProfileDatabase database = connect();
  ProfiledRun run;
  run.run_id = "r";
  run.model.name = "m";
  {
    // Of steps that wait, only the last is to be kept.
    RunSaver saver(database, nullptr,
                   [this](const Warning& warning) {
                     const std::lock_guard lock(mutex_);
                     trouble_.push_back(warning);
                   },
                   {.period = 1ms, .patience = 1ms, .most_pending_bytes = 1});
    RunRecorder recorder({.spans = 100, .tokens = 100, .text_bytes = 100}, nullptr,
                         monotonic_clock(), saver.spans());
    recorder.begin();
    take_away();
    dir_.write("profiles.db.journal", "");
    saver.begin(run, recorder);
    wait_until([&] { return !trouble().empty(); });
    std::this_thread::sleep_for(100ms);  // steps that wait
    put_back();
    fs::remove(journal_directory(path_));
    const Instant now = monotonic_clock().now();
    wait_until([&] { return saver.saved_until() > now; });
    saver.stop();
  }
  // In the database or, where the saver looked at that before it was back and at its journal after
  // that was, in the journal.
  EXPECT_EQ(recover_runs(database).runs.size(), 1U);
  const auto kept = database.get_run("r");
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->model.name, "m");
}

// ---- killed -------------------------------------------------------------------------------------

/// What a child process tells of itself in memory that outlives it.
struct Told {
  std::atomic<Nanoseconds::rep> saved_until;
  std::atomic<Nanoseconds::rep> begun;
  std::atomic<int> tokens;
};

/// Profiles until it is killed.
[[noreturn]] void work_until_killed(const fs::path& path, Told& told) {
  auto database = ProfileDatabase::connect(path);
  const auto monitor = fake_monitor();
  if (!database || !monitor->start(1ms)) {
    _exit(1);
  }
  RunSaver saver(*database, monitor.get(), {}, {.period = 2ms, .patience = 200ms});
  RunRecorder recorder({.spans = 100'000, .tokens = 20'000, .text_bytes = 100'000}, nullptr,
                       monotonic_clock(), saver.spans());
  ProfiledRun run;
  run.run_id = "victim";
  run.model.name = "m";
  recorder.begin();
  told.begun = recorder.begin_time().time_since_epoch().count();
  saver.begin(run, recorder);
  for (;;) {
    const auto token = recorder.open_token(Phase::decode);
    const auto section = recorder.open_section(Phase::decode, "forward");
    std::this_thread::sleep_for(200us);
    recorder.set_text(token, "x");
    recorder.close(section);
    recorder.close(token);
    ++told.tokens;
    told.saved_until = saver.saved_until().time_since_epoch().count();
  }
}

TEST(RunSaverKilled, AtAnyInstantAllThatWasSavedIsThere) {
  void* const memory =
      mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto& told = *new (memory) Told;
  std::mt19937 random{6};
  int with_figures = 0;
  for (int round = 0; round < 50; ++round) {
    const testing::TempDir dir;
    const fs::path path = dir.path() / "profiles.db";
    told.saved_until = 0;
    told.begun = 0;
    told.tokens = 0;
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      work_until_killed(path, told);
    }
    // From its first moments to the middle of its work; in every second round, however slow the
    // machine is, after it has saved something of each kind.
    while (round % 10 != 0 &&
           (told.begun == 0 ||
            (round % 2 == 1 && told.saved_until < told.begun + Nanoseconds{10ms}.count()))) {
      ASSERT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "it must not have ended by itself";
      std::this_thread::sleep_for(100us);
    }
    std::this_thread::sleep_for(std::chrono::microseconds{random() % 40'000});
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it must not have ended by itself";

    auto database = ProfileDatabase::connect(path);
    ASSERT_TRUE(database) << database.error().message;
    EXPECT_TRUE(database->check()->good());
    const RecoveryReport report = recover_runs(*database);
    for (const Error& error : report.errors) {
      ADD_FAILURE() << error.message;
    }
    EXPECT_EQ(report.in_the_making, 0U) << "the dead hold no lock";
    EXPECT_TRUE(database->unfinished_runs()->empty());
    const auto run = database->get_run("victim");
    ASSERT_TRUE(run) << run.error().message;
    if (told.saved_until == 0) {
      continue;  // killed before it had saved anything
    }
    ASSERT_TRUE(*run);
    EXPECT_EQ((*run)->status, RunStatus::interrupted);
    EXPECT_TRUE(std::ranges::find((*run)->warnings, "interrupted", &Warning::code) !=
                (*run)->warnings.end());
    // Everything up to the instant that it knew to be saved.
    const Nanoseconds saved{told.saved_until - told.begun};
    const Figure& figure = (*run)->totals.figure;
    EXPECT_GE(figure.duration, saved);
    const auto& tokens = (*run)->tokens;
    for (std::size_t index = 0; index < tokens.size(); ++index) {
      EXPECT_EQ(tokens[index].index, index);
      EXPECT_EQ(tokens[index].text, "x");
    }
    EXPECT_LE(tokens.size(), static_cast<std::size_t>(told.tokens) + 1);
    if (figure.total) {
      ++with_figures;
      EXPECT_NEAR(figure.total->value(), 50.0 * seconds(figure.duration) * figure.quality.coverage,
                  0.02 * figure.total->value());
    }
  }
  EXPECT_GT(with_figures, 15);
  munmap(memory, sizeof(Told));
}

}  // namespace
}  // namespace enprof
