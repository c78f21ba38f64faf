// A thread that does the same thing again and again.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

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
/// Threads: start, stop and destruction from one, never from the turn; set_period from the turn.
class PeriodicThread {
 public:
  struct Options {
    std::string name;     ///< as debuggers and `top -H` show it: at most 15 bytes
    std::string purpose;  ///< for the log: "Could not PURPOSE: …"
    Nanoseconds period{0};
    Nanoseconds first{0};  ///< until the first turn
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

 private:
  void work();
  void take_turn();

  // The thread's while it runs.
  Options options_;
  std::function<void()> turn_;
  bool is_failing_ = false;

  std::mutex mutex_;  // of stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace enprof
