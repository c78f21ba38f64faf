#include "base/signal_queue.hpp"

#include "base/command_start.hpp"
#include "support/wait_until.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <sys/wait.h>
#include <unistd.h>

namespace enprof {
namespace {

Instant in_a_long_time() { return monotonic_clock().now() + testing::kLongWait; }

auto handler_of(int number) {
  struct sigaction now{};
  sigaction(number, nullptr, &now);
  return now.sa_handler;
}

TEST(SignalQueue, SignalsWaitInItWithWhoSentThem) {
  SignalQueue queue;
  ASSERT_TRUE(queue.start());
  EXPECT_FALSE(queue.stop_token().stop_requested());
  ::kill(getpid(), SIGTERM);
  const auto signal = queue.next(in_a_long_time());
  ASSERT_TRUE(signal);
  EXPECT_EQ(*signal, (ReceivedSignal{.number = SIGTERM, .sender = getpid()}));
  EXPECT_EQ(queue.ending_signal(), SIGTERM);
  testing::wait_until("a stop is requested", [&] { return queue.stop_token().stop_requested(); });
  EXPECT_FALSE(queue.next(monotonic_clock().now()));
}

TEST(SignalQueue, OthersAreTakenOnRequest) {
  SignalQueue queue;
  ASSERT_TRUE(queue.start());
  EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
  queue.take(std::array{SIGUSR1});
  ::kill(getpid(), SIGUSR1);
  const auto signal = queue.next(in_a_long_time());
  ASSERT_TRUE(signal);
  EXPECT_EQ(signal->number, SIGUSR1);
  EXPECT_EQ(queue.ending_signal(), 0);
  queue.give_back(std::array{SIGUSR1});
  EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
}

TEST(SignalQueue, WhatWasIgnoredStaysIgnored) {
  auto* const before = std::signal(SIGHUP, SIG_IGN);
  {
    SignalQueue queue;
    ASSERT_TRUE(queue.start());
    EXPECT_EQ(handler_of(SIGHUP), SIG_IGN);
    EXPECT_NE(handler_of(SIGTERM), SIG_DFL);
  }
  EXPECT_EQ(handler_of(SIGHUP), SIG_IGN);
  EXPECT_EQ(handler_of(SIGTERM), SIG_DFL);
  EXPECT_EQ(handler_of(SIGCHLD), SIG_DFL);
  std::signal(SIGHUP, before);
}

TEST(SignalQueue, TheEndOfAChildIsASignal) {
  SignalQueue queue;
  ASSERT_TRUE(queue.start());
  const auto pid = start_command("/bin/sh", {"sh", "-c", "exit 0"});
  ASSERT_TRUE(pid);
  const auto signal = queue.next(in_a_long_time());
  ASSERT_TRUE(signal);
  EXPECT_EQ(*signal, (ReceivedSignal{.number = SIGCHLD, .sender = 0}));
  EXPECT_EQ(waitpid(*pid, nullptr, 0), *pid);
}

TEST(SignalQueue, OneThatIsPushedIsAsOneThatWasReceived) {
  SignalQueue queue;
  queue.push({.number = SIGINT, .sender = 0});
  EXPECT_EQ(queue.ending_signal(), SIGINT);
  EXPECT_TRUE(queue.stop_token().stop_requested());
  EXPECT_EQ(queue.next(monotonic_clock().now()), (ReceivedSignal{.number = SIGINT, .sender = 0}));
}

}  // namespace
}  // namespace enprof
