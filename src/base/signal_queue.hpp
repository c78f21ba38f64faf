// Signals to this program as messages in a queue.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include "base/timed_condition.hpp"

#include <array>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace enprof {

struct ReceivedSignal {
  int number = 0;
  /// The process that sent it; 0 if it came from the kernel: a terminal sends it to the whole
  /// process group.
  pid_t sender = 0;

  friend bool operator==(const ReceivedSignal&, const ReceivedSignal&) = default;
};

/// While one exists, signals that it takes wait in a queue instead of having their usual effect. A
/// signal that was ignored when we were started (nohup; a command in the background) stays ignored,
/// so that a program that we start ignores it, too. At most one queue at a time.
/// Threads: one; stop_token() and push() any.
class SignalQueue {
 public:
  /// Takes those that end a program (SIGINT, SIGTERM, SIGHUP, SIGQUIT), and SIGCHLD. Errors:
  /// unavailable if there is no descriptor or no thread left.
  [[nodiscard]] Result<void> start(const Clock& clock = monotonic_clock());
  SignalQueue() = default;
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;
  ~SignalQueue();  ///< gives all signals back

  /// Takes more signals, or gives some back.
  void take(std::span<const int> numbers);
  void give_back(std::span<const int> numbers);

  /// The oldest signal in the queue. Waits for one until that instant; empty if none came.
  [[nodiscard]] std::optional<ReceivedSignal> next(Instant until);
  /// A stop is requested when one of those that end a program has come.
  [[nodiscard]] std::stop_token stop_token() const { return source_.get_token(); }
  /// The first of them; 0 if none has come.
  [[nodiscard]] int ending_signal() const;

  /// As if it had been received.
  void push(const ReceivedSignal& signal);

 private:
  void read_pipe();

  std::array<int, 2> pipe_{-1, -1};
  std::vector<int> taken_;
  std::thread reader_;  // a signal handler may take no lock
  std::stop_source source_;

  mutable std::mutex mutex_;  // of what follows
  TimedCondition arrived_;
  std::deque<ReceivedSignal> queue_;
  int ending_ = 0;
};

}  // namespace enprof
