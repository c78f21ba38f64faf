#include "base/periodic_thread.hpp"

#include "base/log.hpp"
#include "base/start_thread.hpp"
#include "base/thread_name.hpp"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"thread"};

}  // namespace

PeriodicThread::~PeriodicThread() { stop(); }

Result<void> PeriodicThread::start(Options options, std::function<void()> turn) {
  stop();
  options_ = std::move(options);
  turn_ = std::move(turn);
  is_failing_ = false;
  stopping_ = false;
  woken_ = false;
  wake_.set_clock(*options_.clock);
  wake_.begin_thread();
  auto started = start_thread("The thread " + options_.name, [this] { work(); });
  if (!started) {
    wake_.end_thread();
    return std::unexpected(std::move(started.error()));
  }
  thread_ = *std::move(started);
  return {};
}

void PeriodicThread::stop() {
  if (!thread_.joinable()) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify();
  thread_.join();
  wake_.end_thread();
}

void PeriodicThread::wake() noexcept {
  if (!woken_.exchange(true) && listening_) {
    {
      const std::lock_guard lock(mutex_);
    }  // once it is free the thread sleeps, or has seen it
    wake_.notify();
  }
}

void PeriodicThread::work() {
  name_this_thread(options_.name);
  Nanoseconds pause = options_.first;
  std::unique_lock lock(mutex_);
  while (rest(lock, pause)) {
    lock.unlock();
    woken_.exchange(false);  // not a store: the turn must see what was written before wake()
    run_turn();
    pause = options_.period;
    lock.lock();
  }
}

bool PeriodicThread::rest(std::unique_lock<std::mutex>& lock, Nanoseconds pause) {
  if (stopping_) {
    return false;  // whoever left it behind in a turn may have taken the clock along
  }
  const Instant begin = options_.clock->now();
  listening_ = true;
  // One wait for the whole pause, not one for its first part and another: it wakes up only once.
  if (wake_.wait_until(lock, begin + pause, [this] { return stopping_ || woken_; })) {
    wake_.wait_until(lock, begin + std::min(pause, options_.unbroken),
                     [this] { return stopping_; });
  }
  listening_ = false;
  return !stopping_;
}

void PeriodicThread::run_turn() {
  const auto failed = [this](std::string_view what) {
    if (!std::exchange(is_failing_, true)) {
      kLog.error("Could not {}: {}. It will be tried again", options_.purpose, what);
    }
  };
  try {
    turn_();
    is_failing_ = false;
  } catch (const std::exception& error) {
    failed(error.what());
  } catch (...) {
    failed("an exception of unknown type");
  }
}

}  // namespace enprof
