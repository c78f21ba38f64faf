// A thread that calls a function periodically.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include "base/timed_condition.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace enprof {

/// Calls a function, rests for a period, and repeats this until it is stopped or destroyed. The
/// period counts from the end of a turn, so a slow turn is not followed by another one at once.
///
/// A turn that throws does not end the thread. The exception is logged, once until a turn succeeds
/// again. stop() does not call the function: an owner that wants a last turn runs it itself,
/// afterwards. Make this the owner's last member: it is then destroyed first, while all that the
/// turn uses still exists.
///
/// Threads: start, stop and destruction from one, never from the turn; set_period from the turn;
/// wake from any.
class PeriodicThread {
 public:
  struct Options {
    std::string name;     ///< as debuggers and `top -H` show it: at most 15 bytes
    std::string purpose;  ///< for the log: "Could not PURPOSE: …"
    Nanoseconds period{0};
    Nanoseconds first{0};                     ///< until the first turn
    Nanoseconds unbroken{0};                  ///< how much of a rest wake() leaves alone
    const Clock* clock = &monotonic_clock();  ///< rests by it, and outlived by it: TimedCondition
  };

  PeriodicThread() = default;
  PeriodicThread(const PeriodicThread&) = delete;
  PeriodicThread& operator=(const PeriodicThread&) = delete;
  ~PeriodicThread();  ///< as stop()

  /// Starts the thread; if it runs already, it is stopped before. Errors: unavailable if the system
  /// cannot start a thread.
  [[nodiscard]] Result<void> start(Options options, std::function<void()> turn);
  /// Waits until the current turn is finished. No turn follows; if the first turn was not due yet,
  /// there is none. Further calls do nothing.
  void stop();
  /// Sets the period of the rest after this turn and of later rests.
  void set_period(Nanoseconds period) { options_.period = period; }
  /// Ends the current rest, or the next one if a turn is running. Does not wait, and makes at most
  /// one system call per rest.
  void wake() noexcept;

 private:
  void work();
  /// False if it was stopped.
  [[nodiscard]] bool rest(std::unique_lock<std::mutex>& lock, Nanoseconds pause);
  void run_turn();

  // Only the thread uses these while it runs.
  Options options_;
  std::function<void()> turn_;
  bool is_failing_ = false;

  std::mutex mutex_;  // of stopping_
  TimedCondition wake_;
  bool stopping_ = false;
  // wake() and the thread each write one and then read the other: so at least one sees the other.
  std::atomic<bool> woken_{false};
  std::atomic<bool> listening_{false};  // written with the mutex held
  std::thread thread_;
};

}  // namespace enprof
