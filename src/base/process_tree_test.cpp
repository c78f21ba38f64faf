#include "base/process_tree.hpp"

#include "base/command_start.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <string>
#include <sys/wait.h>
#include <utility>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

pid_t start(std::string script) {
  const auto pid = start_command("/bin/sh", {"sh", "-c", std::move(script)});
  EXPECT_TRUE(pid) << pid.error().message;
  return pid.value_or(-1);
}

const ExitStatus& end_of(ProcessTree& tree) {
  testing::wait_until("the command has ended", [&] { return tree.reap().has_value(); });
  return *tree.reap();
}

/// Kills all, and reaps what is ours.
void clear(ProcessTree& tree) {
  testing::wait_until("all processes have ended", [&] {
    static_cast<void>(tree.signal(SIGKILL));
    tree.reap();
    return tree.running().empty();
  });
}

TEST(ProcessTree, KnowsHowTheCommandEnded) {
  {
    ProcessTree tree;
    tree.set_root(start("exit 7"));
    EXPECT_EQ(end_of(tree), (ExitStatus{.code = 7}));
    EXPECT_THAT(tree.running(), IsEmpty());
  }
  ProcessTree tree;
  tree.set_root(start("kill -9 $$"));
  EXPECT_EQ(end_of(tree), (ExitStatus{.code = std::nullopt, .signal = SIGKILL}));
}

TEST(ProcessTree, SignalsAllProcesses) {
  ProcessTree tree;
  tree.set_root(start("sleep 1000 & sleep 1000 & wait"));
#if defined(__linux__)
  testing::wait_until("there are three", [&] { return tree.running().size() == 3; });
#endif
  EXPECT_TRUE(tree.signal(SIGTERM));
  EXPECT_EQ(end_of(tree).signal, SIGTERM);
  clear(tree);
}

#if defined(__linux__)

TEST(ProcessTree, CpuTimeOfProcessesThatRunAndOfThoseThatEndedCounts) {
  ProcessTree tree;
  tree.set_root(start("(while :; do :; done) & wait $!; exit 0"));
  testing::wait_until("the child has used CPU time", [&] { return tree.cpu_time() >= 100ms; });
  const Nanoseconds before = tree.cpu_time();
  for (const pid_t pid : tree.running()) {
    if (pid != tree.root()) {
      ::kill(pid, SIGKILL);
    }
  }
  EXPECT_EQ(end_of(tree).code, 0);
  EXPECT_GE(tree.cpu_time(), before);
}

TEST(ProcessTree, AProcessThatTheCommandLeavesBehindStaysInTheTree) {
  ProcessTree tree;
  // One in its session, and one that makes a session of its own, as daemons do.
  tree.set_root(start("(while :; do :; done) & (setsid sleep 1000 &) ; exit 0"));
  EXPECT_EQ(end_of(tree).code, 0);
  testing::wait_until("both run", [&] { return tree.running().size() == 2; });
  testing::wait_until("the busy one counts", [&] { return tree.cpu_time() >= 100ms; });
  const Nanoseconds before = tree.cpu_time();
  clear(tree);
  EXPECT_GE(tree.cpu_time(), before) << "also when it was reaped";
}

TEST(ProcessTree, OtherChildrenOfThisProgramAreNotInIt) {
  const pid_t earlier = start("exec sleep 1000");
  {
    ProcessTree tree;
    const auto helper = ChildProcess::start({"/bin/sleep", "1000"});
    ASSERT_TRUE(helper);
    EXPECT_TRUE(is_child_process(helper->pid()));
    tree.set_root(start("exec sleep 1000"));
    EXPECT_THAT(tree.running(), Contains(tree.root()));
    EXPECT_THAT(tree.running(), Not(Contains(earlier)));
    EXPECT_THAT(tree.running(), Not(Contains(helper->pid())));
    clear(tree);
    EXPECT_FALSE(is_child_process(tree.root()));
  }
  EXPECT_EQ(::kill(earlier, 0), 0) << "it was not signalled";
  ::kill(earlier, SIGKILL);
  EXPECT_EQ(waitpid(earlier, nullptr, 0), earlier);
}

TEST(ProcessTree, WithoutProcfsTheCommandItselfIsKnown) {
  ProcessTree tree("/nonexistent");
  tree.set_root(start("exec sleep 1000"));
  EXPECT_THAT(tree.running(), SizeIs(1));
  EXPECT_EQ(tree.cpu_time(), 0ns);
  EXPECT_TRUE(tree.signal(SIGKILL));
  EXPECT_EQ(end_of(tree).signal, SIGKILL);
}

#endif

}  // namespace
}  // namespace enprof
