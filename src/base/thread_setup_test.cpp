#include "base/thread_setup.hpp"

#include <gtest/gtest.h>

#include <array>
#include <pthread.h>
#include <sched.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX
#include <string>
#include <thread>

namespace enprof {
namespace {

TEST(ThreadSetup, NamesTheThreadAndLeavesSignalsToOthers) {
  std::array<char, 32> name{};
  bool interrupts = true;
  std::thread thread([&] {
    set_up_sampling_thread("enprof-powermetrics");
    pthread_getname_np(pthread_self(), name.data(), name.size());
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    interrupts = sigismember(&blocked, SIGINT) == 0;
  });
  thread.join();
  EXPECT_STREQ(name.data(), "enprof-powermet");
  EXPECT_FALSE(interrupts);
}

TEST(ThreadSetup, RealtimePriorityIsGivenOrRefusedWithTheRightThatIsMissing) {
  int policy = SCHED_OTHER;
  Result<void> raised;
  std::thread thread([&] {
    raised = request_realtime_priority();
    sched_param parameters{};
    pthread_getschedparam(pthread_self(), &policy, &parameters);
  });
  thread.join();
  if (raised) {
    EXPECT_EQ(policy, SCHED_FIFO);
  } else {
    EXPECT_EQ(policy, SCHED_OTHER);
    EXPECT_NE(raised.error().hint.find("CAP_SYS_NICE"), std::string::npos);
  }
}

}  // namespace
}  // namespace enprof
