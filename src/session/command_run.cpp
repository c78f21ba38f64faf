#include "session/command_run.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <csignal>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <unistd.h>

namespace enprof {
namespace {

constexpr Logger kLog{"exec"};
constexpr int kTimedOut = 124;    // as timeout(1) has it
constexpr int kUnknownEnd = 125;  // somebody else has reaped it
constexpr int kSignalled = 128;   // as shells have it
constexpr Nanoseconds kLongestWait = std::chrono::hours{1};

class Watcher {
 public:
  Watcher(ProcessTree& tree, SignalQueue& signals, const CommandLimits& limits, const Clock& clock)
      : tree_(tree),
        signals_(signals),
        limits_(limits),
        clock_(clock),
        begin_(clock.now()),
        ends_at_(limits.timeout ? begin_ + *limits.timeout : Instant::max()),
        next_interval_(limits.interval ? begin_ + *limits.interval : Instant::max()) {}

  CommandEnd wait() {
    while (!tree_.reap()) {
      const Instant until =
          std::min({ends_at_, kills_at_, next_interval_, clock_.now() + kLongestWait});
      if (const auto signal = signals_.next(until)) {
        handle(*signal);
      }
      const Instant now = clock_.now();
      if (now >= ends_at_) {
        end_it(now);
      }
      if (now >= kills_at_) {
        kill_it(now);
      }
      if (now >= next_interval_) {
        tell_interval(now);
      }
    }
    end_.status = *tree_.reap();
    end_.cpu_time = tree_.cpu_time();
    end_.left = tree_.running().size();
    return end_;
  }

 private:
  void handle(const ReceivedSignal& signal) {
    switch (signal.number) {
      case SIGCHLD:
        return;
      case SIGTSTP:
        pass_on(signal);
        // The shell sees that we are stopped. Our own SIGTSTP is handled, so it does not stop us.
        ::kill(getpid(), SIGSTOP);
        return;
      case SIGINT:
      case SIGQUIT:
      case SIGTERM:
      case SIGHUP:
        end_.received = signal.number;
        if (is_second_key(signal)) {
          kLog.info("Interrupted twice: the command is killed");
          kill_it(clock_.now());
          return;
        }
        break;
      default:
        break;
    }
    pass_on(signal);
  }

  /// Whether the user has pressed Ctrl-C or Ctrl-\ for the second time in a row.
  [[nodiscard]] bool is_second_key(const ReceivedSignal& signal) {
    if (signal.sender != 0 || (signal.number != SIGINT && signal.number != SIGQUIT)) {
      return false;
    }
    const Instant now = clock_.now();
    const bool is_second = last_key_ && now - *last_key_ <= kTwice;
    last_key_ = now;
    return is_second;
  }

  void pass_on(const ReceivedSignal& signal) const {
    // A terminal has sent it to the command, too. After `fg` that holds for SIGCONT; a second one
    // does no harm.
    const bool has_it = signal.sender == 0 || signal.sender == tree_.root();
    if (!has_it || signal.number == SIGCONT) {
      ::kill(tree_.root(), signal.number);
    }
  }

  void end_it(Instant now) {
    kLog.info("The time is over: the command gets SIGTERM");
    end_.timed_out = true;
    ends_at_ = Instant::max();
    kills_at_ = now + limits_.kill_after;
    if (!tree_.signal(SIGTERM)) {
      kLog.warning("The command cannot be ended: it belongs to another user");
    }
    // A process that is stopped ends only when it goes on.
    static_cast<void>(tree_.signal(SIGCONT));
  }

  void kill_it(Instant now) {
    static_cast<void>(tree_.signal(SIGKILL));
    // A process that was started just now is missed the first time.
    kills_at_ = now + std::max<Nanoseconds>(limits_.kill_after, std::chrono::seconds{1});
  }

  void tell_interval(Instant now) {
    // One line for intervals that were missed, such as while we were stopped.
    while (next_interval_ <= now) {
      next_interval_ += *limits_.interval;
    }
    if (limits_.on_interval) {
      limits_.on_interval(now - begin_);
    }
  }

  ProcessTree& tree_;
  SignalQueue& signals_;
  const CommandLimits& limits_;
  const Clock& clock_;
  Instant begin_;
  Instant ends_at_;
  Instant next_interval_;
  Instant kills_at_ = Instant::max();
  std::optional<Instant> last_key_;
  CommandEnd end_;
};

}  // namespace

int exit_code_of(const CommandEnd& end) {
  if (end.timed_out) {
    return kTimedOut;
  }
  return end.status.signal != 0 ? kSignalled + end.status.signal
                                : end.status.code.value_or(kUnknownEnd);
}

std::string describe(const CommandEnd& end) {
  return end.timed_out ? "timeout" : to_string(end.status);
}

bool was_cancelled(const CommandEnd& end) {
  if (end.timed_out) {
    return true;
  }
  // Shells and many programs that handle a signal return 128 + its number.
  return end.received != 0 && exit_code_of(end) != 0 &&
         (end.status.signal != 0 || end.status.code == kSignalled + end.received);
}

CommandEnd wait_for_command(ProcessTree& tree, SignalQueue& signals, const CommandLimits& limits,
                            const Clock& clock) {
  return Watcher(tree, signals, limits, clock).wait();
}

}  // namespace enprof
