#include "power/thread_setup.hpp"

#include <gtest/gtest.h>

#include <array>
#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX
#include <string>
#include <thread>

namespace enprof {
namespace {

TEST(ThreadSetup, NamesTheThreadAndLeavesSignalsToOthers) {
  std::array<char, 32> name{};
  bool interrupts = true;
  std::thread thread([&] {
    set_up_sampling_thread("enprof-power");
    pthread_getname_np(pthread_self(), name.data(), name.size());
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    interrupts = sigismember(&blocked, SIGINT) == 0;
  });
  thread.join();
  EXPECT_STREQ(name.data(), "enprof-power");
  EXPECT_FALSE(interrupts);
}

}  // namespace
}  // namespace enprof
