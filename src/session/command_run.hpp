// Waits for a command that was started, and passes signals on to it.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include "base/child_process.hpp"
#include "base/process_tree.hpp"
#include "base/signal_queue.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace enprof {

/// How long a command may run, and when its caller wants to hear of it.
struct CommandLimits {
  std::optional<Nanoseconds> timeout{};  ///< then it is ended: SIGTERM
  /// From SIGTERM to SIGKILL.
  Nanoseconds kill_after = std::chrono::seconds{5};
  std::optional<Nanoseconds> interval{};
  /// Called each time an interval is over, with the time since the command began.
  std::function<void(Nanoseconds)> on_interval{};
};

/// How a command ended.
struct CommandEnd {
  ExitStatus status{};
  bool timed_out = false;
  int received = 0;         ///< the last signal that asked us to end meanwhile; else 0
  Nanoseconds cpu_time{0};  ///< of all its processes
  std::size_t left = 0;     ///< how many of its processes still ran
};

/// As a shell has it: what the command returned; 128 + the signal that ended it. 124 if it took too
/// long, as timeout(1) has it.
[[nodiscard]] int exit_code_of(const CommandEnd& end);
/// "exit code 3", "signal 9 (Killed)", "timeout".
[[nodiscard]] std::string describe(const CommandEnd& end);
/// Whether it ended because somebody who signalled us wanted it to.
[[nodiscard]] bool was_cancelled(const CommandEnd& end);

/// The signals that wait_for_command() handles beside those that a SignalQueue always takes.
inline constexpr std::array kPassedOn{SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2};

/// Waits until the command, the root of the tree, has ended. Meanwhile:
/// - A signal that a process sent to us is passed on to the command. One from a terminal has
///   reached the command already, as it is in our process group. If Ctrl-C or Ctrl-\ comes twice
///   within kTwice, all processes of the command are killed.
/// - SIGTSTP and SIGCONT are passed on in the same way, and stop and continue us, too.
/// - After the timeout all its processes are ended.
[[nodiscard]] CommandEnd wait_for_command(ProcessTree& tree, SignalQueue& signals,
                                          const CommandLimits& limits,
                                          const Clock& clock = monotonic_clock());

inline constexpr Nanoseconds kTwice = std::chrono::seconds{2};

}  // namespace enprof
