#include "session/command_run.hpp"

#include "base/command_start.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <mutex>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr pid_t kSomebody = 1;

/// A command of the shell, and a thread that waits for it by a clock that the test moves.
class CommandRunTest : public ::testing::Test {
 protected:
  void begin(const std::string& script, CommandLimits limits = {}) {
    limits_ = std::move(limits);
    ASSERT_TRUE(signals_.start(clock_));
    const auto pid =
        start_command("/bin/sh", {"sh", "-c", "cd " + dir_.path().string() + "; " + script});
    ASSERT_TRUE(pid) << pid.error().message;
    tree_.set_root(*pid);
    command_ = *pid;
    waiting_ = std::async(std::launch::async,
                          [this] { return wait_for_command(tree_, signals_, limits_, clock_); });
  }
  /// A test that failed leaves a command, for which the thread would wait without end.
  void TearDown() override {
    if (waiting_.valid()) ::kill(command_, SIGKILL);
  }
  /// Until the command has made this file.
  void wait_for_file(const std::string& name) {
    testing::wait_until("the command makes " + name,
                        [&] { return std::filesystem::exists(dir_.path() / name); });
  }
  void receive(int number, pid_t sender) { signals_.push({.number = number, .sender = sender}); }
  CommandEnd end() { return waiting_.get(); }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  SignalQueue signals_;
  ProcessTree tree_;
  CommandLimits limits_;
  pid_t command_ = 0;
  std::future<CommandEnd> waiting_;
};

TEST_F(CommandRunTest, TheExitCodeIsThatOfTheCommand) {
  begin("exit 3");
  const CommandEnd ended = end();
  EXPECT_EQ(exit_code_of(ended), 3);
  EXPECT_EQ(describe(ended), "exit code 3");
  EXPECT_FALSE(was_cancelled(ended));
}

TEST_F(CommandRunTest, ASignalThatEndsItIsInTheExitCode) {
  begin("kill -SEGV $$");
  const CommandEnd ended = end();
  EXPECT_EQ(exit_code_of(ended), 128 + SIGSEGV);
  EXPECT_FALSE(was_cancelled(ended)) << "nobody asked for it";
}

TEST_F(CommandRunTest, ASignalFromAProcessIsPassedOn) {
  begin("trap 'exit 5' TERM; : > ready; while :; do sleep 0.01; done");
  wait_for_file("ready");
  receive(SIGTERM, kSomebody);
  const CommandEnd ended = end();
  EXPECT_EQ(exit_code_of(ended), 5);
  EXPECT_EQ(ended.received, SIGTERM);
  EXPECT_FALSE(was_cancelled(ended)) << "it chose its exit code";
}

TEST_F(CommandRunTest, ACommandThatDiesOfASignalToUsWasCancelled) {
  begin(": > ready; exec sleep 1000");
  wait_for_file("ready");
  receive(SIGTERM, kSomebody);
  const CommandEnd ended = end();
  EXPECT_EQ(exit_code_of(ended), 128 + SIGTERM);
  EXPECT_TRUE(was_cancelled(ended));
}

TEST_F(CommandRunTest, OneKeyIsTheCommandsAndTwoInARowKill) {
  begin("trap 'exit 5' INT; trap ': > told' USR1; : > ready; while :; do sleep 0.01; done");
  wait_for_file("ready");
  receive(SIGINT, 0);  // the terminal has sent it to the command, too
  receive(SIGUSR1, kSomebody);
  wait_for_file("told");  // what came before was handled
  clock_.advance(kTwice + 1ms);
  receive(SIGINT, 0);
  std::filesystem::remove(dir_.path() / "told");
  receive(SIGUSR1, kSomebody);
  wait_for_file("told");
  receive(SIGINT, 0);
  const CommandEnd ended = end();
  EXPECT_EQ(ended.status.signal, SIGKILL);
  EXPECT_TRUE(was_cancelled(ended));
}

TEST_F(CommandRunTest, AfterTheTimeLimitItIsEnded) {
  begin(": > ready; exec sleep 1000", {.timeout = 3s});
  wait_for_file("ready");
  clock_.pass_when_awaited(3s);
  const CommandEnd ended = end();
  EXPECT_TRUE(ended.timed_out);
  EXPECT_EQ(ended.status.signal, SIGTERM);
  EXPECT_EQ(exit_code_of(ended), 124);
  EXPECT_EQ(describe(ended), "timeout");
}

TEST_F(CommandRunTest, WhoDoesNotEndIsKilledAfterTheGraceTime) {
  begin("trap ': > asked' TERM; : > ready; while :; do sleep 0.01; done",
        {.timeout = 3s, .kill_after = 7s});
  wait_for_file("ready");
  clock_.pass_when_awaited(3s);
  wait_for_file("asked");
  clock_.pass_when_awaited(7s);
  const CommandEnd ended = end();
  EXPECT_TRUE(ended.timed_out);
  EXPECT_EQ(ended.status.signal, SIGKILL);
  EXPECT_EQ(exit_code_of(ended), 124);
}

TEST_F(CommandRunTest, AStoppedCommandEndsAtItsTimeLimit) {
  begin(": > ready; kill -STOP $$", {.timeout = 3s});
  wait_for_file("ready");
  clock_.pass_when_awaited(3s);
  const CommandEnd ended = end();
  EXPECT_TRUE(ended.timed_out);
  EXPECT_EQ(ended.status.signal, SIGTERM);
}

TEST_F(CommandRunTest, EachIntervalIsTold) {
  std::mutex mutex;
  std::vector<Nanoseconds> told;
  begin(": > ready; exec sleep 1000", {.interval = 500ms, .on_interval = [&](Nanoseconds since) {
                                         const std::lock_guard lock(mutex);
                                         told.push_back(since);
                                       }});
  wait_for_file("ready");
  for (std::size_t count = 1; count <= 3; ++count) {
    clock_.pass_when_awaited(500ms);
    testing::wait_until("it is told", [&] {
      const std::lock_guard lock(mutex);
      return told.size() == count;
    });
  }
  receive(SIGTERM, kSomebody);
  EXPECT_EQ(end().status.signal, SIGTERM);
  EXPECT_EQ(told, (std::vector<Nanoseconds>{500ms, 1s, 1500ms}));
}

#if defined(__linux__)
TEST_F(CommandRunTest, ProcessesThatItLeavesAreCounted) {
  begin("sleep 1000 & exit 0");
  const CommandEnd ended = end();
  EXPECT_EQ(exit_code_of(ended), 0);
  EXPECT_EQ(ended.left, 1U);
  testing::wait_until("it has ended", [&] {
    static_cast<void>(tree_.signal(SIGKILL));
    tree_.reap();
    return tree_.running().empty();
  });
}
#endif

}  // namespace
}  // namespace enprof
