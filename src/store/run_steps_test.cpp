#include "store/run_steps.hpp"

#include "store/run_lock.hpp"
#include "store/step_store.hpp"
#include "support/manual_clock.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::sample_run;

class RunSteps : public ::testing::Test {
 protected:
  [[nodiscard]] ProfileDatabase open(const DatabaseOptions& options = {}) const {
    auto database = ProfileDatabase::connect(path_, options);
    EXPECT_TRUE(database) << database.error().message;
    return *std::move(database);
  }
  static ProfiledRun begun(std::string run_id = "r") {
    ProfiledRun run;
    run.run_id = std::move(run_id);
    run.prompt = "Hi";
    run.tags = {"t"};
    return run;
  }

  const testing::TempDir dir_;
  const fs::path path_ = dir_.path() / "profiles.db";
};

TEST_F(RunSteps, AnUnfinishedRunIsListedAndReplacedWhenItEnds) {
  ProfileDatabase database = open();
  ASSERT_TRUE(StepStore(database).begin_run(begun()));
  ASSERT_TRUE(StepStore(database).begin_run(begun())) << "beginning it twice changes nothing";
  EXPECT_EQ(StepStore(database).unfinished_runs(), std::vector<std::string>{"r"});
  EXPECT_EQ((*database.get_run("r"))->status, RunStatus::running);
  const std::vector<RunStep> steps{{0, "{\"a\":1}"}, {1, "🔋"}};
  ASSERT_TRUE(StepStore(database).append_steps("r", steps));
  ASSERT_TRUE(StepStore(database).append_steps("r", std::vector<RunStep>{{1, "other"}, {2, "c"}}));
  EXPECT_EQ(StepStore(database).read_steps("r"),
            (std::vector<RunStep>{{0, "{\"a\":1}"}, {1, "🔋"}, {2, "c"}}));

  const ProfiledRun whole = sample_run("r");
  ASSERT_TRUE(database.save_run(whole));
  EXPECT_EQ(**database.get_run("r"), whole);
  EXPECT_TRUE(StepStore(database).read_steps("r")->empty());
  EXPECT_TRUE(StepStore(database).unfinished_runs()->empty());
  EXPECT_EQ(StepStore(database).begin_run(begun()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(database.save_run(whole).error().code, ErrorCode::invalid_argument);
}

TEST_F(RunSteps, StepsOfAMissingRunAreRefusedByName) {
  ProfileDatabase database = open();
  const auto outcome = StepStore(database).append_steps("ghost", std::vector<RunStep>{{0, "x"}});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::not_found);
  EXPECT_NE(outcome.error().message.find("There is no unfinished run ghost"), std::string::npos);
  EXPECT_NE(outcome.error().message.find("Nothing was changed"), std::string::npos);
  EXPECT_NE(outcome.error().hint.find("enprof runs --db"), std::string::npos);
  ASSERT_TRUE(database.save_run(sample_run("over")));
  EXPECT_EQ(StepStore(database).append_steps("over", std::vector<RunStep>{{0, "x"}}).error().code,
            ErrorCode::not_found);
  SQLite::Database raw(path_.string());
  EXPECT_EQ(raw.execAndGet("SELECT count(*) FROM run_steps").getInt(), 0);
  EXPECT_EQ(database.health().failures_in_a_row, 0U) << "it is not the store's fault";
}

TEST_F(RunSteps, AnyIdIsAnId) {
  ProfileDatabase database = open();
  const std::vector<std::string> ids{"it's", "a\"b",      std::string("nul\0nul", 7),
                                     "🔋",   "../../etc", std::string(1 << 20, 'x'),
                                     "a/b",  " ",         "CON",
                                     "%s"};
  for (const std::string& id : ids) {
    ASSERT_TRUE(StepStore(database).begin_run(begun(id)));
    ASSERT_TRUE(StepStore(database).append_steps(id, std::vector<RunStep>{{0, "s"}}));
    const auto lock = RunLock::acquire(path_, id);
    EXPECT_TRUE(lock) << lock.error().message;
    ASSERT_TRUE(database.save_run(sample_run(id)));
    EXPECT_EQ(**database.get_run(id), sample_run(id));
  }
  EXPECT_EQ(database.list_runs()->total, ids.size());
  for (const std::string& id : ids) {
    EXPECT_EQ(database.delete_run(id), true);
  }
  EXPECT_FALSE(fs::exists(journal_directory(path_)));
}

TEST_F(RunSteps, AStepWaitsOnlyForItsPatience) {
  ProfileDatabase database = open({.busy_timeout = std::chrono::hours{1}});
  ASSERT_TRUE(StepStore(database).begin_run(begun()));
  SQLite::Database other(path_.string(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  const auto outcome =
      StepStore(database).append_steps("r", std::vector<RunStep>{{0, "x"}}, milliseconds{20});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::busy);
#if defined(__linux__)
  EXPECT_NE(outcome.error().message.find("this program itself still locks"), std::string::npos)
      << outcome.error().message;
#endif
  EXPECT_TRUE(StepStore(database).read_steps("r")) << "readers do not wait";
  other.exec("COMMIT");
  EXPECT_TRUE(
      StepStore(database).append_steps("r", std::vector<RunStep>{{0, "x"}}, milliseconds{20}));
}

TEST_F(RunSteps, AfterFiveFailuresInARowWritesPauseAndAreProbed) {
  testing::ManualClock clock;
  ProfileDatabase database = open({.busy_timeout = milliseconds{1}, .clock = &clock});
  ASSERT_TRUE(StepStore(database).begin_run(begun()));
  const std::vector<RunStep> step{{0, "x"}};
  SQLite::Database other(path_.string(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  for (int failure = 0; failure < 5; ++failure) {
    EXPECT_EQ(StepStore(database).append_steps("r", step).error().code, ErrorCode::busy);
  }
  EXPECT_EQ(database.health().state, BreakerState::open);
  EXPECT_EQ(database.health().last_error->code, ErrorCode::busy);
  other.exec("COMMIT");
  EXPECT_EQ(StepStore(database).append_steps("r", step).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(database.get_run("r")) << "reading goes on";
  clock.advance(std::chrono::seconds{1});
  EXPECT_EQ(database.health().state, BreakerState::half_open);
  EXPECT_TRUE(StepStore(database).append_steps("r", step));
  EXPECT_EQ(database.health().state, BreakerState::closed);

  // The end of a run is tried in any case.
  other.exec("BEGIN IMMEDIATE");
  for (int failure = 0; failure < 5; ++failure) {
    EXPECT_FALSE(StepStore(database).append_steps("r", step));
  }
  other.exec("COMMIT");
  EXPECT_TRUE(database.save_run(sample_run("r")));
  EXPECT_EQ(database.health().state, BreakerState::closed);
}

TEST_F(RunSteps, ARemovedFileIsNoticedAndReopened) {
  ProfileDatabase database = open();
  ASSERT_TRUE(database.save_run(sample_run("old")));
  fs::rename(path_, dir_.path() / "elsewhere.db");
  for (const char* const suffix : {"-wal", "-shm"}) {
    fs::remove(path_.string() + suffix);
  }
  const auto lost = database.get_run("old");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::io);
  EXPECT_NE(
      lost.error().message.find("The connection to the database " + path_.string() + " is lost"),
      std::string::npos)
      << lost.error().message;
  EXPECT_FALSE(lost.error().hint.empty());
  ASSERT_TRUE(database.save_run(sample_run("new"))) << "the next call reconnects";
  EXPECT_EQ(database.list_runs()->total, 1U);
}

TEST_F(RunSteps, TwoWritersAndFourReadersAtOnce) {
  constexpr int kRuns = 12;
  std::atomic<int> writing = 2;
  std::atomic<int> reads = 0;
  static_cast<void>(open());
  {
    std::vector<std::jthread> threads;
    threads.reserve(6);
    for (int writer = 0; writer < 2; ++writer) {
      threads.emplace_back([&, writer] {
        ProfileDatabase database = open();
        for (int index = 0; index < kRuns; ++index) {
          const std::string id = std::to_string(writer) + "-" + std::to_string(index);
          EXPECT_TRUE(StepStore(database).begin_run(begun(id)));
          for (int step = 0; step < 5; ++step) {
            const auto outcome = StepStore(database).append_steps(
                id, std::vector<RunStep>{{step, std::string(1000, 's')}});
            EXPECT_TRUE(outcome) << outcome.error().message;
          }
          const auto saved = database.save_run(sample_run(id));
          EXPECT_TRUE(saved) << saved.error().message;
        }
        --writing;
      });
    }
    for (int reader = 0; reader < 4; ++reader) {
      threads.emplace_back([&] {
        ProfileDatabase database = open();
        while (writing > 0) {
          const auto list = database.list_runs({.limit = 3});
          EXPECT_TRUE(list) << list.error().message;
          for (const RunSummary& line : list ? list->runs : std::vector<RunSummary>{}) {
            const auto run = database.get_run(line.run_id);
            EXPECT_TRUE(run) << run.error().message;
            if (run && *run && (*run)->status != RunStatus::running) {
              EXPECT_EQ(**run, sample_run(line.run_id));
              ++reads;
            }
          }
        }
      });
    }
  }
  ProfileDatabase database = open();
  EXPECT_EQ(database.list_runs()->total, 2U * kRuns);
  EXPECT_TRUE(database.check()->good());
  EXPECT_GT(reads, 0);
}

TEST_F(RunSteps, OneObjectServesSeveralThreads) {
  ProfileDatabase database = open();
  ASSERT_TRUE(StepStore(database).begin_run(begun()));
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int step = 0; step < 20; ++step) {
        EXPECT_TRUE(StepStore(database).append_steps(
            "r", std::vector<RunStep>{{thread * 100 + step, "x"}}));
        EXPECT_TRUE(database.list_runs());
      }
    });
  }
  threads.clear();
  EXPECT_EQ(StepStore(database).read_steps("r")->size(), 80U);
}

}  // namespace
}  // namespace enprof
