// Runs whose program is killed while it saves them.
#include "profile/save/run_recovery.hpp"
#include "profile/save/run_saver.hpp"
#include "store/step_store.hpp"
#include "support/run_saver_fixture.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// What a child process tells of itself in memory that outlives it.
struct Told {
  std::atomic<Nanoseconds::rep> saved_until;
  std::atomic<Nanoseconds::rep> begun;
  std::atomic<int> tokens;
};

/// Profiles until it is killed, in real time.
[[noreturn]] void work_until_killed(const fs::path& path, Told& told) {
  auto database = ProfileDatabase::connect(path);
  const auto monitor = testing::fake_monitor(monotonic_clock());
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
  saver.begin(run, recorder, {});
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
    bool has_ended = false;
    testing::wait_until("the child has saved something", [&] {
      has_ended = waitpid(child, nullptr, WNOHANG) != 0;
      return has_ended || round % 10 == 0 ||
             (told.begun != 0 &&
              (round % 2 == 0 || told.saved_until >= told.begun + Nanoseconds{10ms}.count()));
    });
    ASSERT_FALSE(has_ended) << "it must not have ended by itself";
    // At any instant of real time: a process can be killed at no other.
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
    EXPECT_TRUE(StepStore(*database).unfinished_runs()->empty());
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
