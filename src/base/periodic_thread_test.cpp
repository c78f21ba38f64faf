#include "base/periodic_thread.hpp"

#include "enprof/base/log.hpp"

#include "support/manual_clock.hpp"
#include "support/no_threads.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <pthread.h>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::ManualClock;
using testing::wait_until;

/// On the real clock.
PeriodicThread::Options every(Nanoseconds period, Nanoseconds first = 0ms) {
  return {.name = "enprof-test", .purpose = "count", .period = period, .first = first};
}

/// A thread on a clock that the test moves, and when it took its turns, since the test's begin.
class PeriodicThreadTest : public ::testing::Test {
 protected:
  [[nodiscard]] PeriodicThread::Options every(Nanoseconds period, Nanoseconds first = 0ms) const {
    PeriodicThread::Options options = enprof::every(period, first);
    options.clock = &clock_;
    return options;
  }
  void take_turn() { turns_.push_back(clock_.now() - begin_); }

  ManualClock clock_;
  const Instant begin_ = clock_.now();
  std::vector<Nanoseconds> turns_;  // the thread's, read while it rests
  PeriodicThread thread_;
};

TEST_F(PeriodicThreadTest, TakesTurnsUntilItIsStopped) {
  ASSERT_TRUE(thread_.start(every(10ms), [this] { take_turn(); }));
  clock_.pass(25ms);
  EXPECT_THAT(turns_, ElementsAre(0ms, 10ms, 20ms));
  thread_.stop();
  thread_.stop();  // again: no harm
  clock_.pass(1h);
  EXPECT_EQ(turns_.size(), 3U);
}

TEST_F(PeriodicThreadTest, RestsForThePeriodAfterEachTurn) {
  ASSERT_TRUE(thread_.start(every(5ms, 7ms), [this] {
    take_turn();
    clock_.advance(12ms);  // a turn longer than the period
  }));
  clock_.pass(50ms);
  EXPECT_THAT(turns_, ElementsAre(7ms, 24ms, 41ms));
}

TEST_F(PeriodicThreadTest, ATurnMaySetThePeriod) {
  ASSERT_TRUE(thread_.start(every(1h), [this] {
    take_turn();
    thread_.set_period(1ms * turns_.size());
  }));
  clock_.pass(5ms);
  EXPECT_THAT(turns_, ElementsAre(0ms, 1ms, 3ms));
}

TEST_F(PeriodicThreadTest, WakingItEndsTheRest) {
  ASSERT_TRUE(thread_.start(every(1h), [this] { take_turn(); }));
  clock_.pass(10min);
  thread_.wake();
  clock_.pass(59min);  // what is left of the hour is forgotten
  thread_.wake();
  clock_.pass(1h);
  EXPECT_THAT(turns_, ElementsAre(0min, 10min, 69min, 129min));
}

TEST_F(PeriodicThreadTest, WakingItLeavesTheBeginOfARestAlone) {
  PeriodicThread::Options options = every(1h);
  options.unbroken = 20ms;
  ASSERT_TRUE(thread_.start(options, [this] { take_turn(); }));
  clock_.pass(5ms);
  thread_.wake();
  clock_.pass(30ms);
  thread_.wake();
  clock_.pass(5ms);
  EXPECT_THAT(turns_, ElementsAre(0ms, 20ms, 40ms));
}

TEST_F(PeriodicThreadTest, WhereThePeriodIsShorterThanWhatIsLeftAloneItCounts) {
  PeriodicThread::Options options = every(1ms);
  options.unbroken = 20ms;
  ASSERT_TRUE(thread_.start(options, [this] { take_turn(); }));
  clock_.pass(2ms);
  EXPECT_THAT(turns_, ElementsAre(0ms, 1ms, 2ms));
}

TEST_F(PeriodicThreadTest, WokenDuringATurnItTakesAnother) {
  ASSERT_TRUE(thread_.start(every(1h), [this] {
    take_turn();
    if (turns_.size() < 100) {
      thread_.wake();
    }
  }));
  clock_.settle();
  EXPECT_EQ(turns_.size(), 100U);
}

TEST_F(PeriodicThreadTest, StopWaitsNeitherForTheFirstTurnNorForThePeriod) {
  ASSERT_TRUE(thread_.start(every(1h, 1h), [this] { take_turn(); }));
  thread_.stop();
  EXPECT_TRUE(turns_.empty());
  ASSERT_TRUE(thread_.start(every(1h), [this] { take_turn(); }));  // it can be started again
  clock_.settle();
  thread_.stop();
  EXPECT_EQ(turns_.size(), 1U);
}

TEST_F(PeriodicThreadTest, StopWaitsForATurnUnderWay) {
  std::binary_semaphore begun{0};
  std::binary_semaphore may_end{0};
  std::atomic<bool> stopped{false};
  ASSERT_TRUE(thread_.start(every(1h), [&] {
    begun.release();
    may_end.acquire();
    EXPECT_FALSE(stopped);
  }));
  begun.acquire();
  std::thread stopper([&] {
    thread_.stop();
    stopped = true;
  });
  may_end.release();
  stopper.join();
  EXPECT_TRUE(stopped);
}

TEST_F(PeriodicThreadTest, DestructionStopsIt) {
  {
    PeriodicThread other;
    ASSERT_TRUE(other.start(every(1ms), [this] { take_turn(); }));
    clock_.pass(1ms);
  }
  clock_.pass(1h);
  EXPECT_THAT(turns_, ElementsAre(0ms, 1ms));
}

// What follows is of the real clock.

TEST(PeriodicThread, TakesTurnsInRealTime) {
  std::atomic<int> turns{0};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(every(1ms, 1ms), [&] { ++turns; }));
  wait_until("it takes turns", [&] { return turns >= 3; });
  thread.stop();
}

TEST(PeriodicThread, OneWakeIsOneTurn) {
  std::atomic<int> turns{0};
  PeriodicThread thread;
  thread.wake();  // it does not run: no effect
  ASSERT_TRUE(thread.start(every(1h), [&] { ++turns; }));
  for (int turn = 1; turn <= 1'000; ++turn) {
    while (turns < turn) {
      std::this_thread::yield();
    }
    thread.wake();  // while it rests, or just before
  }
  wait_until("the last turn is taken", [&] { return turns == 1'001; });
  thread.stop();
  EXPECT_EQ(turns, 1'001);
  thread.wake();
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
  wait_until("the last wake is not lost", [&] { return seen == 4'000; });
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
  wait_until("it takes turns", [&] { return turns >= 5; });
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
  wait_until("it takes a turn", [&] { return turns >= 1; });
}

}  // namespace
}  // namespace enprof
