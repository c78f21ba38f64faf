#include "base/child_process.hpp"

#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr std::size_t kAll = 1 << 24;
constexpr Nanoseconds kLong = testing::kLongWait;

std::vector<std::string> shell(std::string script) { return {"/bin/sh", "-c", std::move(script)}; }

/// Reads until the output ends, or until it contains a text.
std::string read_until(ChildProcess& child, std::string_view wanted = {}) {
  std::string text;
  testing::wait_until("the child says " + std::string{wanted.empty() ? "all" : wanted}, [&] {
    child.wait_for_output(1s);
    return !child.read_output(text, kAll) || (!wanted.empty() && text.contains(wanted));
  });
  return text;
}

bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0; }

/// Whether a process that is not our child has ended: it is gone, or a zombie until init reaps it.
bool has_ended(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(in, text);
  const auto name_end = text.rfind(')');
  return name_end == std::string::npos || text[name_end + 2] == 'Z' || text[name_end + 2] == 'X';
}

/// No clock of ours passes while a process of the system's ends: this waits for it in real time.
void wait_until_it_has_ended(pid_t pid) {
  testing::wait_until("process " + std::to_string(pid) + " has ended",
                      [pid] { return has_ended(pid); });
}

std::size_t open_descriptors() {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

TEST(ChildProcess, HandsOutOutputErrorsAndExitCode) {
  auto child = ChildProcess::start(shell("echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_EQ(read_until(*child), "out\n");
  EXPECT_EQ(child->wait(kLong), (ExitStatus{.code = 7}));
  EXPECT_EQ(child->errors(), "err\n");
  EXPECT_EQ(to_string(*child->wait(0s)), "exit code 7");
}

TEST(ChildProcess, NamesTheSignalThatEndedIt) {
  auto child = ChildProcess::start(shell("kill -9 $$"));
  ASSERT_TRUE(child);
  const auto status = child->wait(kLong);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->signal, SIGKILL);
  EXPECT_EQ(to_string(*status), "signal 9 (Killed)");
}

TEST(ChildProcess, AMissingProgramIsSaidBeforeAnythingStarts) {
  const auto child = ChildProcess::start({"/nowhere/at-all"});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, ErrorCode::not_found);
  EXPECT_THAT(child.error().message, HasSubstr("/nowhere/at-all"));
  EXPECT_FALSE(ChildProcess::start({}));
  EXPECT_FALSE(ChildProcess::start({"surely-no-program-has-this-name"}));
}

TEST(ChildProcess, AProgramThatCannotBeRunIsAnError) {
  const testing::TempDir dir;
  const auto file = dir.write("not-a-program", "text");
  auto child = ChildProcess::start({file.string()});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, ErrorCode::permission_denied);
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  dir.write("not-a-program",
            "\x7f"
            "ELF nonsense");
  child = ChildProcess::start({file.string()});
  ASSERT_FALSE(child) << "the error of exec was lost";
  EXPECT_THAT(child.error().message, HasSubstr("errno"));
}

TEST(ChildProcess, IsFoundInPath) {
  EXPECT_EQ(find_program("/bin/sh"), "/bin/sh");
  const auto shell_path = find_program("sh");
  ASSERT_TRUE(shell_path);
  EXPECT_TRUE(shell_path->ends_with("/sh"));
  EXPECT_EQ(find_program("/bin/surely-not"), std::nullopt);
  EXPECT_EQ(find_program(""), std::nullopt);
}

TEST(ChildProcess, ReadingNeverWaitsAndStopsAtTheLimit) {
  auto child = ChildProcess::start(shell("echo ready; exec sleep 60"));
  ASSERT_TRUE(child);
  EXPECT_EQ(read_until(*child, "ready"), "ready\n");
  std::string text;
  EXPECT_TRUE(child->read_output(text, kAll));  // would hang if it waited
  EXPECT_EQ(text, "");
  EXPECT_EQ(child->wait(0s), std::nullopt);

  auto writer = ChildProcess::start(shell("printf '%0100d' 0; exec sleep 60"));
  ASSERT_TRUE(writer);
  writer->wait_for_output(kLong);
  EXPECT_TRUE(writer->read_output(text, 10));
  EXPECT_EQ(text.size(), 10U);
}

TEST(ChildProcess, KeepsTheEndOfLongErrorsOnly) {
  auto child = ChildProcess::start(
      shell("i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; echo done"));
  ASSERT_TRUE(child);
  std::string text;
  while (child->read_output(text, kAll)) {
    static_cast<void>(child->errors());  // else the pipe fills and the program waits
    child->wait_for_output(10ms);
  }
  EXPECT_LE(child->errors().size(), ChildProcess::kErrorsKept);
  EXPECT_THAT(child->errors(), HasSubstr("line 1999\n"));
}

TEST(ChildProcess, IsEndedWithItsDescendantsWhenForgotten) {
  pid_t pid = 0;
  pid_t grandchild = 0;
  {
    auto child = ChildProcess::start(shell("sleep 60 & echo $!; wait"));
    ASSERT_TRUE(child);
    pid = child->pid();
    grandchild = std::stoi(read_until(*child, "\n"));
    EXPECT_TRUE(is_alive(pid));
    EXPECT_TRUE(is_alive(grandchild));
  }
  EXPECT_FALSE(is_alive(pid)) << "it still runs, or is a zombie";
  wait_until_it_has_ended(grandchild);
}

TEST(ChildProcess, WhoIgnoresSigtermIsKilled) {
  pid_t pid = 0;
  {
    auto child = ChildProcess::start(shell("trap '' TERM; echo ready; while :; do sleep 1; done"));
    ASSERT_TRUE(child);
    pid = child->pid();
    EXPECT_EQ(read_until(*child, "ready"), "ready\n");
  }
  EXPECT_FALSE(is_alive(pid));
}

TEST(ChildProcess, DescendantsOfOneThatEndedByItselfAreEndedToo) {
  auto child = ChildProcess::start(shell("sleep 60 & echo $!"));
  ASSERT_TRUE(child);
  const pid_t grandchild = std::stoi(read_until(*child, "\n"));
  EXPECT_EQ(child->wait(kLong), (ExitStatus{.code = 0}));
  wait_until_it_has_ended(grandchild);
}

TEST(ChildProcess, WhereOthersHaveReapedItItsGroupsNumberIsNotItsAnyMore) {
  auto child = ChildProcess::start(shell("sleep 60 > /dev/null 2>&1 & echo $!"));
  ASSERT_TRUE(child) << child.error().message;
  const pid_t foreigner = std::stoi(read_until(*child));  // the process that has that number now
  ASSERT_EQ(::waitpid(child->pid(), nullptr, 0), child->pid());
  EXPECT_EQ(child->wait(kLong), ExitStatus{}) << "how it ended is unknown";
  EXPECT_FALSE(has_ended(foreigner));
  ::kill(foreigner, SIGKILL);
}

TEST(ChildProcess, DiesOfSigpipeAlthoughWeIgnoreIt) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  auto child = ChildProcess::start(shell("kill -PIPE $$; echo survived"));
  std::signal(SIGPIPE, before);
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait(kLong), (ExitStatus{.code = std::nullopt, .signal = SIGPIPE}));
}

TEST(ChildProcess, InheritsNoSignalMaskAndNoIgnoredSignal) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto handler = std::signal(SIGUSR1, SIG_IGN);
  auto terminated = ChildProcess::start(shell("kill -TERM $$; echo survived"));
  auto signalled = ChildProcess::start(shell("kill -USR1 $$; echo survived"));
  std::signal(SIGUSR1, handler);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(terminated);
  ASSERT_TRUE(signalled);
  EXPECT_EQ(terminated->wait(kLong), (ExitStatus{.code = std::nullopt, .signal = SIGTERM}));
  EXPECT_EQ(signalled->wait(kLong), (ExitStatus{.code = std::nullopt, .signal = SIGUSR1}));
}

TEST(ChildProcess, IsAProcessGroupOfItsOwn) {
  auto child = ChildProcess::start(shell("exec sleep 60"));
  ASSERT_TRUE(child);
  EXPECT_EQ(::getpgid(child->pid()), child->pid());
}

TEST(ChildProcess, LeaksNoDescriptorAndInheritsNone) {
  const int ours = ::open("/dev/null", O_RDONLY);  // on purpose without O_CLOEXEC
  ASSERT_GE(ours, 0);
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 20; ++round) {
    auto child = ChildProcess::start(shell("ls /proc/self/fd"));
    ASSERT_TRUE(child);
    const std::string seen = read_until(*child);
    EXPECT_LE(std::ranges::count(seen, '\n'), 4) << seen;  // 0, 1, 2 and that of the listing itself
    EXPECT_TRUE(child->wait(kLong));
  }
  EXPECT_FALSE(ChildProcess::start({"/nowhere"}));
  EXPECT_EQ(open_descriptors(), before);
  ::close(ours);
}

/// Starts a program from a process that takes enprof's place and is then killed with -9. The
/// program prints the number of the process that must end with it.
void expect_to_end_with_its_killed_starter(const std::string& script) {
  std::array<int, 2> pid_pipe{};
  ASSERT_EQ(::pipe(pid_pipe.data()), 0);
  const pid_t stand_in = ::fork();
  ASSERT_GE(stand_in, 0);
  if (stand_in == 0) {
    auto child = ChildProcess::start(shell(script));
    const pid_t pid = child ? std::stoi(read_until(*child, "\n")) : -1;
    [[maybe_unused]] const auto written = ::write(pid_pipe[1], &pid, sizeof pid);
    while (true) {
      ::pause();
    }
  }
  pid_t pid = 0;
  ASSERT_EQ(::read(pid_pipe[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ASSERT_GT(pid, 0);
  EXPECT_FALSE(has_ended(pid));
  ::kill(stand_in, SIGKILL);
  ::waitpid(stand_in, nullptr, 0);
  wait_until_it_has_ended(pid);
  ::close(pid_pipe[0]);
  ::close(pid_pipe[1]);
}

#if defined(__linux__)
TEST(ChildProcess, WhereWeAreKilledItEndsAtItsNextWrite) {
  expect_to_end_with_its_killed_starter("while echo $$; do sleep 0.01; done");
}

// Like a program under sudo, which takes no signals from us.
TEST(ChildProcess, OneThatSignalsDoNotReachEndsAtItsNextWrite) {
  expect_to_end_with_its_killed_starter("setsid sh -c 'while echo $$; do sleep 0.01; done' & wait");
}
#endif

}  // namespace
}  // namespace enprof
