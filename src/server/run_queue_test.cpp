#include "server/run_queue.hpp"

#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;

/// Tasks that run until the test lets them continue.
class RunQueueTest : public ::testing::Test {
 protected:
  void work(const RunTask& task, const std::stop_token& stop) {
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(task.run_id);
    }
    if (task.run_id == "throws") {
      throw std::runtime_error("on purpose");
    }
    if (task.run_id == "blocks") {
      testing::wait_until("the task is to end", [&] { return stop.stop_requested(); });
    }
    cancelled_ = stop.stop_requested();
  }
  static void wait_until_idle(const RunQueue& queue) {
    testing::wait_until("the queue is idle", [&] { return queue.ids().empty(); });
  }
  static void wait_until_running(const RunQueue& queue, const std::string& id) {
    testing::wait_until(id + " runs", [&] { return queue.running() == id; });
  }
  static RunTask task(const std::string& id) { return {.run_id = id}; }

  std::mutex mutex_;
  std::vector<std::string> done_;
  std::vector<std::string> dropped_;
  std::atomic<bool> cancelled_{false};
  RunQueue::Work work_ = [this](const RunTask& task, const std::stop_token& stop) {
    work(task, stop);
  };
  RunQueue::Drop drop_ = [this](const RunTask& task, RunQueue::Reason reason) {
    dropped_.push_back(task.run_id + (reason == RunQueue::Reason::stopping ? " at the end" : ""));
  };
};

TEST_F(RunQueueTest, TasksRunInOrder) {
  RunQueue queue(10, work_, drop_);
  ASSERT_TRUE(queue.submit(task("blocks")));
  wait_until_running(queue, "blocks");
  EXPECT_EQ(queue.submit(task("a")), 1U);
  EXPECT_EQ(queue.submit(task("b")), 2U);
  EXPECT_EQ(queue.state("blocks"), RunQueue::State::running);
  EXPECT_EQ(queue.state("b"), RunQueue::State::queued);
  EXPECT_FALSE(queue.state("none"));
  EXPECT_THAT(queue.ids(), ElementsAre("blocks", "a", "b"));
  EXPECT_TRUE(queue.cancel("blocks"));
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("blocks", "a", "b"));
  EXPECT_FALSE(cancelled_);  // the next task gets a new stop token
}

TEST_F(RunQueueTest, AWaitingTaskIsRemoved) {
  RunQueue queue(10, work_, drop_);
  ASSERT_TRUE(queue.submit(task("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(task("a")));
  EXPECT_TRUE(queue.cancel("a"));
  EXPECT_THAT(dropped_, ElementsAre("a"));
  EXPECT_FALSE(queue.cancel("a"));
  EXPECT_FALSE(queue.cancel(""));
  queue.cancel("blocks");
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("blocks"));
  EXPECT_THAT(dropped_, ElementsAre("a"));
}

TEST_F(RunQueueTest, ATaskThatIsBeingDroppedStillWaits) {
  std::optional<RunQueue::State> seen;
  RunQueue* asked = nullptr;
  RunQueue queue(10, work_, [&](const RunTask& task, RunQueue::Reason) {
    seen = asked->state(task.run_id);
    throw std::runtime_error("on purpose");
  });
  asked = &queue;
  ASSERT_TRUE(queue.submit(task("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(task("a")));
  EXPECT_TRUE(queue.cancel("a"));
  EXPECT_EQ(seen, RunQueue::State::queued);
  EXPECT_FALSE(queue.state("a"));
}

TEST_F(RunQueueTest, AFullQueueSaysSo) {
  RunQueue queue(1, work_, drop_);
  ASSERT_TRUE(queue.submit(task("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(task("a")));
  const auto refused = queue.submit(task("b"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::busy);
}

TEST_F(RunQueueTest, WorkThatThrowsDoesNotEndTheQueue) {
  RunQueue queue(10, work_, drop_);
  ASSERT_TRUE(queue.submit(task("throws")));
  ASSERT_TRUE(queue.submit(task("a")));
  wait_until_idle(queue);
  EXPECT_THAT(done_, ElementsAre("throws", "a"));
}

TEST_F(RunQueueTest, StoppingEndsTheRunningTaskAndDropsWaitingOnes) {
  RunQueue queue(10, work_, drop_);
  ASSERT_TRUE(queue.submit(task("blocks")));
  wait_until_running(queue, "blocks");
  ASSERT_TRUE(queue.submit(task("a")));
  ASSERT_TRUE(queue.submit(task("b")));
  queue.stop();
  EXPECT_TRUE(cancelled_);
  EXPECT_THAT(done_, ElementsAre("blocks"));
  EXPECT_THAT(dropped_, ElementsAre("a at the end", "b at the end"));
  EXPECT_EQ(queue.waiting(), 0U);
  EXPECT_FALSE(queue.state("a"));
  const auto refused = queue.submit(task("b"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_running);
  queue.stop();
}

}  // namespace
}  // namespace enprof
