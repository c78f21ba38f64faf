#include "base/periodic_thread.hpp"

#include "enprof/base/log.hpp"

#include "support/no_threads.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <pthread.h>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

PeriodicThread::Options every(Nanoseconds period, Nanoseconds first = 0ms) {
  return {.name = "enprof-test", .purpose = "count", .period = period, .first = first};
}

/// Waits for what a thread does; there is no limit but the test's own.
template <class Condition>
void wait_until(const Condition& condition) {
  while (!condition()) {
    std::this_thread::sleep_for(1ms);
  }
}

TEST(PeriodicThread, TakesTurnsUntilItIsStopped) {
  std::atomic<int> turns{0};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(every(1ms), [&] { ++turns; }));
  wait_until([&] { return turns >= 3; });
  thread.stop();
  const int then = turns;
  thread.stop();  // again: no harm
  std::this_thread::sleep_for(10ms);
  EXPECT_EQ(turns, then);
}

TEST(PeriodicThread, RestsForThePeriodAfterEachTurn) {
  constexpr auto kPeriod = 5ms;
  std::array<SteadyClock::time_point, 4> begins{};
  std::array<SteadyClock::time_point, 4> ends{};
  std::atomic<std::size_t> turns{0};
  PeriodicThread thread;
  const auto begin = SteadyClock::now();
  ASSERT_TRUE(thread.start(every(kPeriod, kPeriod), [&] {
    if (const std::size_t turn = turns; turn < begins.size()) {
      begins[turn] = SteadyClock::now();
      std::this_thread::sleep_for(2 * kPeriod);  // a turn longer than the period
      ends[turn] = SteadyClock::now();
      turns = turn + 1;
    }
  }));
  wait_until([&] { return turns == begins.size(); });
  thread.stop();
  EXPECT_GE(begins[0], begin + kPeriod);
  for (std::size_t turn = 1; turn < begins.size(); ++turn) {
    EXPECT_GE(begins[turn], ends[turn - 1] + kPeriod);
  }
}

TEST(PeriodicThread, ATurnMaySetThePeriod) {
  std::atomic<int> turns{0};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(every(1h), [&] {
    ++turns;
    thread.set_period(1ms);
  }));
  wait_until([&] { return turns >= 2; });
}

TEST(PeriodicThread, WakingItEndsTheRest) {
  std::atomic<int> turns{0};
  PeriodicThread thread;
  thread.wake();  // it does not run: no harm
  ASSERT_TRUE(thread.start(every(1h), [&] { ++turns; }));
  for (int turn = 1; turn <= 1'000; ++turn) {
    wait_until([&] { return turns >= turn; });
    thread.wake();  // while it rests, or just before
  }
  wait_until([&] { return turns == 1'001; });
  thread.stop();
  EXPECT_EQ(turns, 1'001);
  thread.wake();
}

TEST(PeriodicThread, WokenDuringATurnItTakesAnother) {
  std::atomic<int> turns{0};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(every(1h), [&] {
    if (++turns < 100) {
      thread.wake();
    }
  }));
  wait_until([&] { return turns == 100; });
}

TEST(PeriodicThread, WakingItLeavesTheBeginOfARestAlone) {
  constexpr auto kUnbroken = 20ms;
  std::atomic<int> turns{0};
  SteadyClock::time_point first_ended;
  SteadyClock::time_point second_began;
  PeriodicThread thread;
  PeriodicThread::Options options = every(1h);
  options.unbroken = kUnbroken;
  ASSERT_TRUE(thread.start(options, [&] {
    (turns == 0 ? first_ended : second_began) = SteadyClock::now();
    ++turns;
  }));
  wait_until([&] { return turns == 1; });
  thread.wake();
  wait_until([&] { return turns == 2; });
  thread.stop();
  EXPECT_GE(second_began - first_ended, kUnbroken);

  options.period = 1ms;  // less than what is left alone
  ASSERT_TRUE(thread.start(options, [&] { ++turns; }));
  wait_until([&] { return turns >= 5; });
}

TEST(PeriodicThread, ManyMayWakeIt) {
  std::atomic<int> wanted{0};
  std::atomic<int> seen{0};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(every(1h), [&] { seen = wanted.load(); }));
  const auto want = [&] {
    for (int count = 0; count < 2'000; ++count) {
      ++wanted;
      thread.wake();
    }
  };
  std::thread other(want);
  want();
  other.join();
  wait_until([&] { return seen == 4'000; });  // the last one is not lost
}

TEST(PeriodicThread, StopWaitsNeitherForTheFirstTurnNorForThePeriod) {
  std::atomic<int> turns{0};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(every(1h, 1h), [&] { ++turns; }));
  thread.stop();
  EXPECT_EQ(turns, 0);
  ASSERT_TRUE(thread.start(every(1h), [&] { ++turns; }));  // it can be started anew
  wait_until([&] { return turns == 1; });
  thread.stop();
  EXPECT_EQ(turns, 1);
}

TEST(PeriodicThread, StopWaitsForATurnUnderWay) {
  std::binary_semaphore begun{0};
  std::atomic<bool> ended{false};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(every(1h), [&] {
    begun.release();
    std::this_thread::sleep_for(20ms);
    ended = true;
  }));
  begun.acquire();
  thread.stop();
  EXPECT_TRUE(ended);
}

TEST(PeriodicThread, DestructionStopsIt) {
  std::atomic<int> turns{0};
  {
    PeriodicThread thread;
    ASSERT_TRUE(thread.start(every(1ms), [&] { ++turns; }));
    wait_until([&] { return turns >= 1; });
  }
  const int then = turns;
  std::this_thread::sleep_for(10ms);
  EXPECT_EQ(turns, then);
}

TEST(PeriodicThread, ATurnThatThrowsIsLoggedOnceAndFollowedByOthers) {
  const testing::TempDir dir;
  const auto path = dir.path() / "enprof.log";
  ASSERT_TRUE(set_log_file(path));
  set_log_level(LogLevel::error);
  std::atomic<int> turns{0};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(every(1ms), [&] {
    const int turn = ++turns;
    if (turn <= 2) {
      throw std::runtime_error("out of fingers");
    }
    if (turn == 4) {
      throw turn;
    }
  }));
  wait_until([&] { return turns >= 5; });
  thread.stop();
  set_log_level(LogLevel::off);
  const std::string text = testing::read_file(path);
  const std::string first = "Could not count: out of fingers";
  const std::size_t at = text.find(first);
  EXPECT_NE(at, std::string::npos) << text;
  EXPECT_EQ(text.find(first, at + 1), std::string::npos) << text;
  EXPECT_NE(text.find("Could not count: an exception of unknown type"), std::string::npos) << text;
}

TEST(PeriodicThread, HasItsName) {
  std::array<char, 32> name{};
  std::binary_semaphore named{0};
  PeriodicThread thread;
  PeriodicThread::Options options = every(1h);
  options.name = "enprof-test-with-a-long-name";
  ASSERT_TRUE(thread.start(options, [&] {
    pthread_getname_np(pthread_self(), name.data(), name.size());
    named.release();
  }));
  named.acquire();
  EXPECT_STREQ(name.data(), "enprof-test-wit");
}

TEST(PeriodicThread, WithoutAThreadItSaysSo) {
  std::atomic<int> turns{0};
  PeriodicThread thread;
  {
    const testing::NoThreads none;
    if (!none.why_not().empty()) {
      GTEST_SKIP() << none.why_not();
    }
    const auto refused = thread.start(every(1ms), [&] { ++turns; });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    EXPECT_NE(refused.error().message.find("enprof-test"), std::string::npos);
    EXPECT_FALSE(refused.error().hint.empty());
    thread.stop();
    EXPECT_EQ(turns, 0);
  }
  ASSERT_TRUE(thread.start(every(1ms), [&] { ++turns; }));  // later there may be one
  wait_until([&] { return turns >= 1; });
}

}  // namespace
}  // namespace enprof
