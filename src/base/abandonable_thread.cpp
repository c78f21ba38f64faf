#include "base/abandonable_thread.hpp"

#include "base/log.hpp"

namespace enprof {
namespace {

constexpr Logger kLog{"thread"};

}  // namespace

AbandonableThread& AbandonableThread::operator=(AbandonableThread&& other) noexcept {
  if (this != &other) {
    abandon();
    ending_ = std::move(other.ending_);
    thread_ = std::move(other.thread_);
  }
  return *this;
}

AbandonableThread::~AbandonableThread() { abandon(); }

bool AbandonableThread::wait_for(Nanoseconds patience, const Clock& clock) {
  if (!thread_.joinable()) {
    return true;
  }
  if (!ending_->wait_until_over(patience, clock)) {
    return false;
  }
  thread_.join();
  return true;
}

void AbandonableThread::wait() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void AbandonableThread::abandon() noexcept {
  if (!thread_.joinable()) {
    return;
  }
  if (ending_->abandon()) {
    thread_.detach();
  } else {
    thread_.join();  // its work is finished
  }
}

void AbandonableThread::Ending::report_exception(std::string_view what) noexcept {
  const std::lock_guard lock(mutex_);
  if (!is_abandoned_) {
    kLog.error("{} ended with an exception: {}", which_, what);
  }
}

void AbandonableThread::Ending::set_over() {
  const std::lock_guard lock(mutex_);
  is_over_ = true;
  over_.notify();
}

bool AbandonableThread::Ending::wait_until_over(Nanoseconds patience, const Clock& clock) {
  std::unique_lock lock(mutex_);
  over_.set_clock(clock);
  return over_.wait_until(lock, clock.now() + patience, [this] { return is_over_; });
}

bool AbandonableThread::Ending::abandon() noexcept {
  const std::lock_guard lock(mutex_);
  is_abandoned_ = !is_over_;
  return is_abandoned_;
}

}  // namespace enprof
