#include "server/run_queue.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"server"};
/// The pause before retrying a task that could not be started.
constexpr std::chrono::milliseconds kPause{100};

}  // namespace

RunQueue::RunQueue(std::size_t capacity, Work work, Drop drop)
    : capacity_(capacity),
      work_(std::move(work)),
      drop_(std::move(drop)),
      thread_([this] { work_until_stopped(); }) {}

RunQueue::~RunQueue() { stop(); }

Result<std::size_t> RunQueue::submit(RunTask task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    return fail(ErrorCode::not_running, "The server is stopping", "Start it again.");
  }
  if (tasks_.size() >= capacity_) {
    return fail(ErrorCode::busy,
                fmt::format("{} already", tasks_.size() == 1
                                              ? std::string{"1 run is waiting"}
                                              : fmt::format("{} runs are waiting", tasks_.size())),
                "Wait for one of them to end, or cancel one: DELETE /api/profiling/run/RUN_ID");
  }
  tasks_.push_back(std::move(task));
  changed_.notify_all();
  return tasks_.size() - 1 + (running_.empty() ? 0U : 1U);
}

bool RunQueue::cancel(std::string_view run_id) {
  std::unique_lock lock(mutex_);
  if (running_ == run_id && !running_.empty()) {
    stop_running_.request_stop();
    return true;
  }
  const auto found = std::ranges::find(tasks_, run_id, &RunTask::run_id);
  if (found == tasks_.end()) {
    return false;
  }
  const RunTask task = std::move(*found);
  tasks_.erase(found);
  dropping_.push_back(task.run_id);
  lock.unlock();  // drop_ takes a while
  drop(task, Reason::cancelled);
  lock.lock();
  std::erase(dropping_, task.run_id);
  return true;
}

void RunQueue::drop(const RunTask& task, Reason reason) const {
  try {
    drop_(task, reason);
  } catch (const std::exception& error) {
    kLog.error("Run {} was cancelled, but its end could not be handled: {}", task.run_id,
               error.what());
  }
}

std::optional<RunQueue::State> RunQueue::state(std::string_view run_id) const {
  const std::lock_guard lock(mutex_);
  if (running_ == run_id && !running_.empty()) {
    return State::running;
  }
  const bool waits = std::ranges::find(tasks_, run_id, &RunTask::run_id) != tasks_.end() ||
                     std::ranges::find(dropping_, run_id) != dropping_.end();
  return waits ? std::optional{State::queued} : std::nullopt;
}

std::vector<std::string> RunQueue::ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  if (!running_.empty()) {
    ids.push_back(running_);
  }
  std::ranges::transform(tasks_, std::back_inserter(ids), &RunTask::run_id);
  std::ranges::copy(dropping_, std::back_inserter(ids));
  return ids;
}

std::size_t RunQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return tasks_.size();
}

std::string RunQueue::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

void RunQueue::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  stop_running_.request_stop();
  changed_.notify_all();
  // One by one: a task that was not dropped yet still counts as waiting, and may be cancelled.
  while (!tasks_.empty()) {
    const RunTask task = std::move(tasks_.front());
    tasks_.pop_front();
    dropping_.push_back(task.run_id);
    lock.unlock();
    drop(task, Reason::stopping);
    lock.lock();
    std::erase(dropping_, task.run_id);
  }
  lock.unlock();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void RunQueue::work_until_stopped() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (stopping_) {
      return;
    }
    try {
      running_ = tasks_.front().run_id;
    } catch (const std::exception& error) {  // out of memory: keep the task and retry
      kLog.error("Cannot start the next run yet: {}", error.what());
      changed_.wait_for(lock, kPause, [this] { return stopping_; });
      continue;
    }
    const RunTask task = std::move(tasks_.front());
    tasks_.pop_front();
    stop_running_ = std::stop_source{};
    const std::stop_token stop = stop_running_.get_token();
    lock.unlock();
    try {
      work_(task, stop);
    } catch (const std::exception& error) {
      kLog.error("Run {} failed: {}", task.run_id, error.what());
    }
    lock.lock();
    running_.clear();
  }
}

}  // namespace enprof
