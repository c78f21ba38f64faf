#include "base/timed_condition.hpp"

#include "support/manual_clock.hpp"
#include "support/wait_until.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::ManualClock;
using testing::wait_until;

/// A thread that waits for a word, or until an instant.
class Waiting {
 public:
  Waiting(const Clock& clock, Instant until)
      : changed_(clock), thread_([this, until] {
          std::unique_lock lock(mutex_);
          has_word_ = changed_.wait_until(lock, until, [this] { return word_; });
          is_over_ = true;
        }) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { thread_.join(); }

  void give_word() {
    const std::lock_guard lock(mutex_);
    word_ = true;
    changed_.notify();
  }
  void notify_without_word() { changed_.notify(); }
  [[nodiscard]] bool is_over() const { return is_over_; }
  void wait() const {
    wait_until("the wait is over", [this] { return is_over(); });
  }
  [[nodiscard]] bool has_word() const { return has_word_; }

 private:
  std::mutex mutex_;
  bool word_ = false;
  TimedCondition changed_;
  std::atomic<bool> has_word_{false};
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

/// A clock that is neither the real one nor a test's: somebody's who uses the library.
class OtherClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override { return monotonic_clock().now() - 100h; }
};

TEST(TimedCondition, AWordEndsTheWaitOnAnyClock) {
  const OtherClock other;
  const ManualClock manual;
  for (const Clock* const clock : {&monotonic_clock(), static_cast<const Clock*>(&other),
                                   static_cast<const Clock*>(&manual)}) {
    Waiting waiting(*clock, clock->now() + 1h);
    waiting.notify_without_word();
    EXPECT_FALSE(waiting.is_over());
    waiting.give_word();
    waiting.wait();
    EXPECT_TRUE(waiting.has_word());
  }
}

TEST(TimedCondition, RealTimePassesOnTheClocksOfOthers) {
  const OtherClock other;
  for (const Clock* const clock : {&monotonic_clock(), static_cast<const Clock*>(&other)}) {
    const Instant until = clock->now() + 5ms;
    const Waiting waiting(*clock, until);
    waiting.wait();
    EXPECT_FALSE(waiting.has_word());
    EXPECT_GE(clock->now(), until);
  }
}

TEST(TimedCondition, AnInstantThatIsPastIsNotWaitedFor) {
  const ManualClock manual;
  for (const Clock* const clock : {&monotonic_clock(), static_cast<const Clock*>(&manual)}) {
    const Waiting waiting(*clock, clock->now());
    waiting.wait();
    EXPECT_FALSE(waiting.has_word());
  }
}

TEST(TimedCondition, ASteppedClockIsWaitedForUntilItIsMovedThere) {
  ManualClock clock;
  const Instant begin = clock.now();
  const Waiting waiting(clock, begin + 10ms);
  clock.pass_when_awaited(10ms);
  waiting.wait();
  EXPECT_FALSE(waiting.has_word());
  EXPECT_EQ(clock.now(), begin + 10ms);
}

TEST(TimedCondition, WhoMovesASteppedClockWaitsForAThreadThatWorks) {
  ManualClock clock;
  TimedCondition changed(clock);
  changed.begin_thread();
  std::mutex mutex;
  std::atomic<int> turns{0};
  std::thread thread([&] {
    std::unique_lock lock(mutex);
    for (int turn = 0; turn < 3; ++turn) {
      changed.wait_until(lock, clock.now() + 1s, [] { return false; });
      ++turns;
    }
    changed.end_thread();
  });
  for (int turn = 1; turn <= 3; ++turn) {
    clock.pass(1s);
    EXPECT_EQ(turns, turn);
  }
  thread.join();
  clock.pass(1h);  // no thread waits for it any more
}

}  // namespace
}  // namespace enprof
