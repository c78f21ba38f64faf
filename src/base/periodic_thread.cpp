#include "base/periodic_thread.hpp"

#include "base/log.hpp"
#include "base/start_thread.hpp"
#include "base/thread_name.hpp"

#include <algorithm>
#include <chrono>
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
  auto started = start_thread("The thread " + options_.name, [this] { work(); });
  if (!started) {
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
  wake_.notify_one();
  thread_.join();
}

void PeriodicThread::wake() noexcept {
  if (!woken_.exchange(true) && listening_) {
    {
      const std::lock_guard lock(mutex_);
    }  // once it is free the thread sleeps, or has seen it
    wake_.notify_one();
  }
}

void PeriodicThread::work() {
  name_this_thread(options_.name);
  Nanoseconds pause = options_.first;
  std::unique_lock lock(mutex_);
  while (rest(lock, pause)) {
    lock.unlock();
    woken_.exchange(false);  // and not a store: the turn sees what came before wake()
    take_turn();
    pause = options_.period;
    lock.lock();
  }
}

bool PeriodicThread::rest(std::unique_lock<std::mutex>& lock, Nanoseconds pause) {
  const auto begin = std::chrono::steady_clock::now();
  listening_ = true;
  // Not first for the unbroken part and then for the rest: where nobody wakes it, it wakes once.
  if (wake_.wait_until(lock, begin + pause, [this] { return stopping_ || woken_; })) {
    wake_.wait_until(lock, begin + std::min(pause, options_.unbroken),
                     [this] { return stopping_; });
  }
  listening_ = false;
  return !stopping_;
}

void PeriodicThread::take_turn() {
  const auto failed = [this](std::string_view what) {
    if (!std::exchange(is_failing_, true)) {
      kLog.error("Could not {}: {}. It is tried again", options_.purpose, what);
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
