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
  void work(const RunTask& order, const std::stop_token& stop) {
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(order.run_id);
    }
    if (order.run_id == "throws") {
      throw std::runtime_error("on purpose");
    }
    while (order.run_id == "blocks" && !stop.stop_requested()) {
      std::this_thread::yield();
    }
    cancelled_ = stop.stop_requested();
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
  std::vector<std::string> dropped_;
  std::atomic<bool> cancelled_{false};
  RunQueue::Work work_ = [this](const RunTask& order, const std::stop_token& stop) {
    work(order, stop);
  };
  RunQueue::Drop drop_ = [this](const RunTask& order, RunQueue::Reason reason) {
    dropped_.push_back(order.run_id + (reason == RunQueue::Reason::stopping ? " at the end" : ""));
  };
};

TEST_F(RunQueueTest, OrdersAreDoneInTurn) {
  RunQueue queue(10, work_, drop_);
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  EXPECT_EQ(queue.submit(order("a")), 1U);
  EXPECT_EQ(queue.submit(order("b")), 2U);
  EXPECT_EQ(queue.state("blocks"), RunQueue::State::running);
  EXPECT_EQ(queue.state("b"), RunQueue::State::queued);
  EXPECT_FALSE(queue.state("none"));
  EXPECT_THAT(queue.ids(), ElementsAre("blocks", "a", "b"));
  EXPECT_TRUE(queue.cancel("blocks"));
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("blocks", "a", "b"));
  EXPECT_FALSE(cancelled_);  // the next one begins afresh
}

TEST_F(RunQueueTest, AWaitingOrderIsTakenOut) {
  RunQueue queue(10, work_, drop_);
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(order("a")));
  EXPECT_TRUE(queue.cancel("a"));
  EXPECT_THAT(dropped_, ElementsAre("a"));
  EXPECT_FALSE(queue.cancel("a"));
  EXPECT_FALSE(queue.cancel(""));
  queue.cancel("blocks");
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("blocks"));
  EXPECT_THAT(dropped_, ElementsAre("a"));
}

TEST_F(RunQueueTest, AnOrderThatIsBeingDroppedStillWaits) {
  std::optional<RunQueue::State> seen;
  RunQueue* asked = nullptr;
  RunQueue queue(10, work_, [&](const RunTask& order, RunQueue::Reason) {
    seen = asked->state(order.run_id);
    throw std::runtime_error("on purpose");
  });
  asked = &queue;
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(order("a")));
  EXPECT_TRUE(queue.cancel("a"));
  EXPECT_EQ(seen, RunQueue::State::queued);
  EXPECT_FALSE(queue.state("a"));
}

TEST_F(RunQueueTest, AFullQueueSaysSo) {
  RunQueue queue(1, work_, drop_);
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(order("a")));
  const auto refused = queue.submit(order("b"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::busy);
}

TEST_F(RunQueueTest, WorkThatThrowsDoesNotEndTheQueue) {
  RunQueue queue(10, work_, drop_);
  ASSERT_TRUE(queue.submit(order("throws")));
  ASSERT_TRUE(queue.submit(order("a")));
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("throws", "a"));
}

TEST_F(RunQueueTest, StoppingEndsWhatRunsAndDropsWhatWaits) {
  RunQueue queue(10, work_, drop_);
  ASSERT_TRUE(queue.submit(order("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(order("a")));
  ASSERT_TRUE(queue.submit(order("b")));
  queue.stop();
  EXPECT_TRUE(cancelled_);
  EXPECT_THAT(done_, ElementsAre("blocks"));
  EXPECT_THAT(dropped_, ElementsAre("a at the end", "b at the end"));
  EXPECT_EQ(queue.waiting(), 0U);
  EXPECT_FALSE(queue.state("a"));
  const auto refused = queue.submit(order("b"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_running);
  queue.stop();
}

}  // namespace
}  // namespace enprof
