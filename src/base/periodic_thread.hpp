// A thread that does the same thing again and again.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace enprof {

/// Calls a function, rests for a period, and so on, until it is stopped or destroyed. The period
/// counts from the end of a turn, so that a slow one is never followed by another at once.
///
/// A turn that throws does not end the thread: the log says so, once until a turn succeeds again.
/// Nothing is called because of stop(): an owner that wants a last turn takes it itself,
/// afterwards. As an owner's last member it is the first to go, and the turn finds all others
/// alive.
///
/// Threads: start, stop and destruction from one, never from the turn; set_period from the turn;
/// wake from any.
class PeriodicThread {
 public:
  struct Options {
    std::string name;     ///< as debuggers and `top -H` show it: at most 15 bytes
    std::string purpose;  ///< for the log: "Could not PURPOSE: …"
    Nanoseconds period{0};
    Nanoseconds first{0};     ///< until the first turn
    Nanoseconds unbroken{0};  ///< how much of a rest wake() leaves alone
  };

  PeriodicThread() = default;
  PeriodicThread(const PeriodicThread&) = delete;
  PeriodicThread& operator=(const PeriodicThread&) = delete;
  ~PeriodicThread();  ///< as stop()

  /// Starts the thread; one that runs already is stopped before. Errors: unavailable, where the
  /// system has no thread to give.
  [[nodiscard]] Result<void> start(Options options, std::function<void()> turn);
  /// Waits until a turn under way is over. There is no other one after it, and none at all where
  /// the first was not due yet. Later calls do nothing.
  void stop();
  /// Of the rest after this turn and those that follow.
  void set_period(Nanoseconds period) { options_.period = period; }
  /// Ends the rest under way, or the next one where a turn is. Waits for nothing, and is one system
  /// call a rest at most.
  void wake() noexcept;

 private:
  void work();
  /// False where it was stopped.
  [[nodiscard]] bool rest(std::unique_lock<std::mutex>& lock, Nanoseconds pause);
  void take_turn();

  // The thread's while it runs.
  Options options_;
  std::function<void()> turn_;
  bool is_failing_ = false;

  std::mutex mutex_;  // of stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  // Each is written before the other is read: of wake() and the thread, one sees the other.
  std::atomic<bool> woken_{false};
  std::atomic<bool> listening_{false};  // written with the mutex held
  std::thread thread_;
};

}  // namespace enprof
