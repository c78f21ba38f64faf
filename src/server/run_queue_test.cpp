#include "server/run_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <string>
#include <thread>

namespace enprof {
namespace {

using ::testing::ElementsAre;

/// Work that a test lets go on.
class RunQueueTest : public ::testing::Test {
 protected:
  void work(const RunTask& order, const std::atomic<bool>& cancel) {
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(order.run_id);
    }
    if (order.run_id == "throws") {
      throw std::runtime_error("on purpose");
    }
    while (order.run_id == "blocks" && !cancel.load()) {
      std::this_thread::yield();
    }
    cancelled_ = cancel.load();
  }
  void wait_until_idle(const RunQueue& queue) {
    while (queue.waiting() > 0 || !queue.running().empty()) {
      std::this_thread::yield();
    }
  }
  void wait_until_running(const RunQueue& queue, const std::string& id) {
    while (queue.running() != id) {
      std::this_thread::yield();
    }
  }
  static RunTask order(const std::string& id) { return {.run_id = id}; }

  std::mutex mutex_;
  std::vector<std::string> done_;
  std::atomic<bool> cancelled_{false};
  RunQueue::Work work_ = [this](const RunTask& order, const std::atomic<bool>& cancel) {
    work(order, cancel);
  };
};

TEST_F(RunQueueTest, OrdersAreDoneInTurn) {
  RunQueue queue(10, work_);
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  EXPECT_EQ(queue.submit(order("a")), 1U);
  EXPECT_EQ(queue.submit(order("b")), 2U);
  EXPECT_EQ(queue.state("blocks"), RunQueue::State::running);
  EXPECT_EQ(queue.state("b"), RunQueue::State::queued);
  EXPECT_FALSE(queue.state("none"));
  EXPECT_TRUE(queue.cancel("blocks"));
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("blocks", "a", "b"));
  EXPECT_FALSE(cancelled_);  // the next one begins afresh
}

TEST_F(RunQueueTest, AWaitingOrderIsTakenOut) {
  RunQueue queue(10, work_);
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(order("a")));
  EXPECT_TRUE(queue.cancel("a"));
  EXPECT_FALSE(queue.cancel("a"));
  EXPECT_FALSE(queue.cancel(""));
  queue.cancel("blocks");
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("blocks"));
}

TEST_F(RunQueueTest, AFullQueueSaysSo) {
  RunQueue queue(1, work_);
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(order("a")));
  const auto refused = queue.submit(order("b"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::busy);
}

TEST_F(RunQueueTest, WorkThatThrowsDoesNotEndTheQueue) {
  RunQueue queue(10, work_);
  ASSERT_TRUE(queue.submit(order("throws")));
  ASSERT_TRUE(queue.submit(order("a")));
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("throws", "a"));
}

TEST_F(RunQueueTest, StoppingEndsWhatRunsAndForgetsWhatWaits) {
  RunQueue queue(10, work_);
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(order("a")));
  queue.stop();
  EXPECT_TRUE(cancelled_);
  EXPECT_THAT(done_, ElementsAre("blocks"));
  const auto refused = queue.submit(order("b"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_running);
  queue.stop();
}

}  // namespace
}  // namespace enprof
