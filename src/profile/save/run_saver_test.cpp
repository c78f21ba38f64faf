#include "profile/save/run_saver.hpp"

#include "profile/save/run_facts.hpp"
#include "profile/save/run_recovery.hpp"
#include "record/pass_test_support.hpp"
#include "store/step_store.hpp"
#include "support/run_saver_fixture.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::RunSaverTest;

TEST_F(RunSaverTest, ARunIsInTheDatabaseWhileItGoesOnAndWholeAtItsEnd) {
  ProfileDatabase database = connect();
  ProfileDatabase other = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({.prompt = "Hi", .model_name = "m", .tags = {"t"}});
  decode(run, 5);
  EXPECT_EQ(StepStore(other).read_steps(run.id())->size(), 3U) << "after 0, 2 and 4 ms";
  const auto running = other.get_run(run.id());
  ASSERT_TRUE(running && *running);
  EXPECT_EQ((*running)->status, RunStatus::running);
  EXPECT_EQ((*running)->prompt, "Hi");
  EXPECT_EQ((*running)->tags, std::vector<std::string>{"t"});

  // A second program does not treat it as abandoned.
  const RecoveryReport report = recover_runs(other);
  EXPECT_EQ(report.in_the_making, 1U);
  EXPECT_TRUE(report.empty());

  const ProfiledRun result = run.finish();
  EXPECT_EQ(**other.get_run(run.id()), result);
  EXPECT_TRUE(StepStore(other).read_steps(run.id())->empty());
  EXPECT_TRUE(trouble().empty());
  EXPECT_TRUE(recover_runs(other).empty());
  EXPECT_FALSE(fs::exists(journal_directory(path_)));
}

TEST_F(RunSaverTest, ARunThatIsAbandonedLeavesNothing) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({});
  clock_.settle();
  EXPECT_FALSE(StepStore(database).read_steps(run.id())->empty());
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
  EXPECT_FALSE(StepStore(database).read_steps(run.id())->empty());
  take_away();
  {
    const SectionScope section = run.section(Phase::decode, "forward");
    PassScope pass = run.pass(plan);
    for (int stamp = 0; stamp < 8; ++stamp) {
      clock_.pass(1ms);
      pass.stamp();
    }
  }
  run.add_values({.every = 4, .passes = 1, .attention = {{.layer = 1, .head = 2}}});
  decode(run, 3, "\xF0\x9F");
  EXPECT_EQ(trouble(), std::vector<std::string>{"journal_in_use"})
      << "reported immediately, and once";
  {
    const std::lock_guard lock(mutex_);
    EXPECT_NE(trouble_[0].message.find(path_.string() + ".journal/" + run.id() + ".jsonl"),
              std::string::npos)
        << trouble_[0].message;
    EXPECT_NE(trouble_[0].hint.find("Nothing of the run is lost"), std::string::npos);
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
  EXPECT_FALSE(trouble().empty());
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
  EXPECT_FALSE(StepStore(database).read_steps(run.id())->empty());
  take_away();
  // The lock is in this directory; a file in its place keeps everything out.
  fs::remove_all(journal_directory(path_));
  dir_.write("profiles.db.journal", "");
  decode(run, 3);
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
    EXPECT_FALSE(StepStore(database).read_steps(id)->empty());
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
  clock_.advance(1min);  // it is not tried all the time
  database.tend();
  EXPECT_FALSE(database.is_unsaved(run.id()));
  const auto saved = connect().summary(run.id());
  EXPECT_EQ((*saved)->status, RunStatus::completed);
  EXPECT_EQ((*saved)->tags, tags);
}

TEST_F(RunSaverTest, AJournalWithoutALineIsNoTrouble) {
  ProfileDatabase database = connect();
  const fs::path empty = dir_.write("profiles.db.journal/r.jsonl", "");
  {
    const auto lock = RunLock::acquire(path_, "r");
    ASSERT_TRUE(lock);
    EXPECT_TRUE(recover_runs(database).empty());
    EXPECT_TRUE(fs::exists(empty)) << "a living program has it";
  }
  EXPECT_TRUE(recover_runs(database).empty());
  EXPECT_FALSE(fs::exists(empty));
}

TEST_F(RunSaverTest, AJournalThatCannotBeUnderstoodIsReportedOnce) {
  ProfileDatabase database = connect();
  const fs::path bad = dir_.write("profiles.db.journal/r.jsonl", "nonsense\n");
  const RecoveryReport report = recover_runs(database);
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_NE(report.errors[0].hint.find(bad.string() + ".unreadable"), std::string::npos)
      << report.errors[0].hint;
  EXPECT_TRUE(recover_runs(database).empty());
  EXPECT_TRUE(fs::exists(bad.string() + ".unreadable"));
}

/// A journal of three steps, of which one is damaged.
std::string damaged_journal(const std::string& run_id) {
  std::string text;
  for (int number = 0; number < 3; ++number) {
    RunStepData step{.step = number,
                     .origin = Instant{},
                     .at = Instant{} + std::chrono::milliseconds{700 * (number + 1)}};
    if (number == 0) {
      ProfiledRun facts;
      facts.run_id = run_id;
      step.facts = facts_to_json(facts);
      step.spans = {{.index = 0, .open = true, .span = {.begin = Instant{}}}};
    }
    text += number == 1 ? "{\"step\":1,\"at_nz\":\n" : step_to_json(step) + "\n";
  }
  return text;
}

TEST_F(RunSaverTest, ADamagedLineOfAJournalTakesNoOtherWithIt) {
  ProfileDatabase database = connect();
  for (const bool is_entered : {false, true}) {
    const std::string run_id = is_entered ? "entered" : "alone";
    if (is_entered) {
      ProfiledRun left;
      left.run_id = run_id;
      ASSERT_TRUE(StepStore(database).begin_run(left));
    }
    dir_.write("profiles.db.journal/" + run_id + ".jsonl", damaged_journal(run_id));
    const RecoveryReport report = recover_runs(database);
    EXPECT_TRUE(report.errors.empty()) << report.errors[0].message;
    const auto run = database.get_run(run_id);
    ASSERT_TRUE(run && *run);
    EXPECT_EQ((*run)->status, RunStatus::interrupted);
    EXPECT_EQ((*run)->totals.figure.duration, 2100ms);
    EXPECT_EQ((*run)->warnings.back().code, "lost_steps");
    EXPECT_NE((*run)->warnings.back().message.find("missing: 1"), std::string::npos)
        << (*run)->warnings.back().message;
  }
}

TEST_F(RunSaverTest, StepsWithoutFactsLeaveTheRunAsItsRowKnowsIt) {
  ProfileDatabase database = connect();
  ProfiledRun left;
  left.run_id = "left";
  left.prompt = "Hi";
  ASSERT_TRUE(StepStore(database).begin_run(left));
  const std::vector<RunStep> steps{
      {.step = 0, .content = R"({"step":0,"origin_ns":0,"at_ns":"x","facts":{}})"}};
  ASSERT_TRUE(StepStore(database).append_steps("left", steps));
  EXPECT_TRUE(recover_runs(database).errors.empty());
  const auto run = database.get_run("left");
  ASSERT_TRUE(run && *run);
  EXPECT_EQ((*run)->status, RunStatus::interrupted);
  EXPECT_EQ((*run)->prompt, "Hi");
  EXPECT_EQ((*run)->warnings.back().code, "lost_steps");
  EXPECT_TRUE(recover_runs(database).empty());
}

TEST_F(RunSaverTest, AJournalOfAnImpossibleIdIsSetAside) {
  ProfileDatabase database = connect();
  for (const char* const id : {"../../evil", "last", ""}) {
    const fs::path journal = dir_.write("profiles.db.journal/j.jsonl", damaged_journal(id));
    const RecoveryReport report = recover_runs(database);
    ASSERT_EQ(report.errors.size(), 1U) << id;
    EXPECT_NE(report.errors[0].message.find("is not the id of a run"), std::string::npos)
        << report.errors[0].message;
    EXPECT_FALSE(fs::exists(journal));
  }
  EXPECT_EQ(database.list_runs()->total, 0U);
}

TEST_F(RunSaverTest, WhatANewerProgramLeftStaysForThat) {
  ProfileDatabase database = connect();
  const std::string newer = R"({"version":99,"step":0})";
  const fs::path journal = dir_.write("profiles.db.journal/j.jsonl", newer + "\n");
  ProfiledRun left;
  left.run_id = "left";
  ASSERT_TRUE(StepStore(database).begin_run(left));
  const std::vector<RunStep> steps{{.step = 0, .content = newer}};
  ASSERT_TRUE(StepStore(database).append_steps("left", steps));
  for (int round = 0; round < 2; ++round) {
    const RecoveryReport report = recover_runs(database);
    EXPECT_TRUE(report.runs.empty());
    ASSERT_EQ(report.errors.size(), 2U);
    EXPECT_NE(report.errors[0].message.find("Run left cannot be closed"), std::string::npos)
        << report.errors[0].message;
    EXPECT_NE(report.errors[1].message.find(journal.string()), std::string::npos);
    for (const Error& error : report.errors) {
      EXPECT_EQ(error.code, ErrorCode::unsupported);
      EXPECT_NE(error.hint.find("update this one"), std::string::npos);
    }
    EXPECT_TRUE(fs::exists(journal));
    EXPECT_EQ(StepStore(database).read_steps("left")->size(), 1U);
  }
}

TEST_F(RunSaverTest, AStepWithAColumnThatIsNotKnownKeepsItsRun) {
  ProfileDatabase database = connect();
  ProfiledRun left;
  left.run_id = "left";
  ASSERT_TRUE(StepStore(database).begin_run(left));
  const fs::path journal = dir_.write("profiles.db.journal/left.jsonl",
                                      R"({"step":0,"origin_ns":0,"at_ns":1,"facts":{},"fact":1})"
                                      "\n");
  const RecoveryReport report = recover_runs(database);
  ASSERT_FALSE(report.errors.empty());
  EXPECT_NE(report.errors[0].message.find(R"("fact", which is not known)"), std::string::npos)
      << report.errors[0].message;
  EXPECT_TRUE(fs::exists(journal.string() + ".unreadable"));
}

TEST_F(RunSaverTest, ARunThatIsBeingWrittenCannotBeDeletedByAnother) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  RunScope run = saver->run({.model_name = "m"});
  clock_.settle();
  EXPECT_FALSE(StepStore(database).read_steps(run.id())->empty());
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
  ASSERT_TRUE(StepStore(database).begin_run(left));
  dir_.write("profiles.db.journal/left.jsonl", "{}\n");
  EXPECT_EQ(database.delete_run("left"), true);
  EXPECT_FALSE(fs::exists(journal_directory(path_)));
}

TEST_F(RunSaverTest, AJournalThatCannotBeReplacedIsAddedTo) {
  ProfileDatabase database = connect();
  const auto saver = profiler(database);
  take_away();
  RunScope run = saver->run({.model_name = "m"});
  decode(run, 2);
  EXPECT_FALSE(trouble().empty());
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
                   {.period = 1ms, .clock = &clock_, .patience = 1ms, .most_pending_bytes = 1});
    RunRecorder recorder({.spans = 100, .tokens = 100, .text_bytes = 100}, nullptr, clock_,
                         saver.spans());
    recorder.begin();
    take_away();
    dir_.write("profiles.db.journal", "");
    saver.begin(run, recorder, {});
    clock_.pass(100ms);  // steps that wait
    EXPECT_FALSE(trouble().empty());
    put_back();
    fs::remove(journal_directory(path_));
    const Instant now = clock_.now();
    clock_.pass(1ms);
    EXPECT_GT(saver.saved_until(), now);
    saver.stop();
  }
  // In the journal: the database is left alone for a while after many failures.
  EXPECT_EQ(recover_runs(database).runs.size(), 1U);
  const auto kept = database.get_run("r");
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->model.name, "m");
}

}  // namespace
}  // namespace enprof
