#include "base/abandonable_thread.hpp"

#include "base/log.hpp"
#include "support/manual_clock.hpp"
#include "support/no_threads.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <stdexcept>
#include <thread>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Nanoseconds kLong = 600s;  // a test that waits for it has failed

template <class Work>
AbandonableThread start(Work work) {
  return AbandonableThread::start("The thread of the test", std::move(work)).value();
}

/// Records that it was destroyed.
class Belonging {
 public:
  explicit Belonging(std::function<void()> on_end) : on_end_(std::move(on_end)) {}
  Belonging(const Belonging&) = delete;
  Belonging& operator=(const Belonging&) = delete;
  ~Belonging() { on_end_(); }

 private:
  std::function<void()> on_end_;
};

TEST(AbandonableThread, WhatTheWorkDidIsSeenByWhoWaitedForIt) {
  int result = 0;
  auto thread = start([&] { result = 7; });
  ASSERT_TRUE(thread.wait_for(kLong));
  EXPECT_EQ(result, 7);
  EXPECT_TRUE(thread.wait_for(kLong)) << "it stays finished";
}

TEST(AbandonableThread, WithoutWorkThereIsNothingToWaitFor) {
  AbandonableThread thread;
  EXPECT_TRUE(thread.wait_for(0s));
  thread.wait();
  thread.abandon();
}

TEST(AbandonableThread, WaitingEndsWhereTheWorkDoesNotAndCanGoOnLater) {
  std::promise<void> gate;
  auto thread = start([opened = gate.get_future()] { opened.wait(); });
  EXPECT_FALSE(thread.wait_for(1ms));
  gate.set_value();
  EXPECT_TRUE(thread.wait_for(kLong));
}

TEST(AbandonableThread, PatienceIsOfTheClockThatIsGiven) {
  testing::ManualClock clock;
  std::promise<void> gate;
  auto thread = start([opened = gate.get_future()] { opened.wait(); });
  std::thread time([&] { clock.pass_when_awaited(1h); });
  EXPECT_FALSE(thread.wait_for(1h, clock));
  time.join();
  gate.set_value();
  EXPECT_TRUE(thread.wait_for(1ns, clock)) << "it stands still while the work ends";
}

TEST(AbandonableThread, WhatTheWorkHoldsIsGoneWhenItIsOver) {
  bool is_gone = false;
  auto belonging = std::make_unique<Belonging>([&] { is_gone = true; });
  auto thread = start([held = std::move(belonging)] {});
  ASSERT_TRUE(thread.wait_for(kLong));
  EXPECT_TRUE(is_gone);
}

TEST(AbandonableThread, OneThatWasLeftBehindFreesWhatItHoldsWhenItComesBack) {
  std::promise<void> gate;
  std::promise<void> freed;
  {
    auto belonging = std::make_unique<Belonging>([&] { freed.set_value(); });
    auto thread =
        start([opened = gate.get_future(), held = std::move(belonging)] { opened.wait(); });
    EXPECT_FALSE(thread.wait_for(1ms));
  }  // destruction does not wait
  gate.set_value();
  freed.get_future().wait();
}

TEST(AbandonableThread, ANewOneTakesThePlaceOfOneThatHangs) {
  std::promise<void> gate;
  auto thread = start([opened = gate.get_future()] { opened.wait(); });
  thread = start([] {});
  EXPECT_TRUE(thread.wait_for(kLong));
  gate.set_value();
}

TEST(AbandonableThread, TheWorkMayHoldTheLastShareOfItsOwner) {
  struct Owner {
    std::promise<void> gate;
    std::promise<void>* ended = nullptr;
    AbandonableThread thread;
    ~Owner() { ended->set_value(); }
  };
  std::promise<void> ended;
  auto owner = std::make_shared<Owner>();
  owner->ended = &ended;
  owner->thread = start([owner] { owner->gate.get_future().wait(); });
  Owner& left = *owner;
  owner.reset();
  left.gate.set_value();
  ended.get_future().wait();
}

TEST(AbandonableThread, AnExceptionEndsTheWorkAndIsLogged) {
  const testing::TempDir dir;
  ASSERT_TRUE(set_log_file(dir.path() / "log"));
  set_log_level(LogLevel::error);
  EXPECT_TRUE(start([] { throw std::runtime_error("broken"); }).wait_for(kLong));
  EXPECT_TRUE(start([] { throw 7; }).wait_for(kLong));
  set_log_level(LogLevel::off);
  const std::string text = testing::read_file(dir.path() / "log");
  EXPECT_THAT(text, HasSubstr("The thread of the test ended with an exception: broken"));
  EXPECT_THAT(text, HasSubstr("exception of unknown type"));
}

TEST(AbandonableThread, AnExceptionOfOneThatWasLeftBehindIsNotLogged) {
  const testing::TempDir dir;
  ASSERT_TRUE(set_log_file(dir.path() / "log"));
  set_log_level(LogLevel::error);
  std::promise<void> gate;
  std::promise<void> freed;
  {
    auto belonging = std::make_unique<Belonging>([&] { freed.set_value(); });
    auto thread = start([opened = gate.get_future(), held = std::move(belonging)] {
      opened.wait();
      throw std::runtime_error("late");
    });
  }
  gate.set_value();
  freed.get_future().wait();
  set_log_level(LogLevel::off);
  EXPECT_THAT(testing::read_file(dir.path() / "log"), Not(HasSubstr("late")));
}

TEST(AbandonableThread, WhereTheSystemHasNoThreadThatIsAnError) {
  const testing::NoThreads none;
  if (!none.why_not().empty()) {
    GTEST_SKIP() << none.why_not();
  }
  const auto thread = AbandonableThread::start("The thread of the test", [] {});
  ASSERT_FALSE(thread);
  EXPECT_EQ(thread.error().code, ErrorCode::unavailable);
  EXPECT_THAT(thread.error().message, HasSubstr("The thread of the test cannot be started"));
}

}  // namespace
}  // namespace enprof
