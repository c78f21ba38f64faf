#include "base/periodic_thread.hpp"

#include "base/log.hpp"
#include "base/start_thread.hpp"
#include "base/thread_name.hpp"

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

void PeriodicThread::work() {
  name_this_thread(options_.name);
  Nanoseconds pause = options_.first;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, pause, [this] { return stopping_; })) {
    lock.unlock();
    take_turn();
    pause = options_.period;
    lock.lock();
  }
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
