// A child process whose output is read.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace enprof {

/// How a program ended.
struct ExitStatus {
  std::optional<int> code;  ///< what it returned; empty if a signal ended it, or if it is unknown
  int signal = 0;           ///< the signal that ended it, else 0

  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// "exit code 1", "signal 9 (Killed)".
[[nodiscard]] std::string to_string(const ExitStatus& status);

/// A running program with pipes from its standard output and standard error; its standard input is
/// empty. It has a process group of its own, so Ctrl-C on our terminal does not reach it. It
/// inherits none of our descriptors, our signal mask or our ignored signals: SIGPIPE ends it as it
/// ends other programs, even if we ignore SIGPIPE. Its messages are in English (LC_ALL=C).
///
/// It does not outlive us for long:
/// - The destructor ends it, with SIGTERM and then SIGKILL to its group, and reaps it.
/// - If we are killed, its pipe has no reader any more: SIGPIPE ends it at its next write. A
///   program that does not write runs on until it ends by itself.
/// A program of another user (sudo) takes no signals from us: then only the pipe ends it, at its
/// next write, also after the destructor. We cannot end a program that neither takes our signals
/// nor writes.
///
/// Threads: one at a time.
class ChildProcess {
 public:
  struct Streams {
    int input = -1;              ///< a descriptor for its standard input; -1: it is empty
    bool shares_errors = false;  ///< its standard error is ours, and errors() stays empty
  };
  /// Starts `command`; its first word is a path, or a name to find in PATH. Errors: not_found if
  /// there is no such program; permission_denied; unavailable if the system has no processes or
  /// descriptors left.
  [[nodiscard]] static Result<ChildProcess> start(const std::vector<std::string>& command,
                                                  const Streams& streams);
  [[nodiscard]] static Result<ChildProcess> start(const std::vector<std::string>& command) {
    return start(command, Streams{});
  }

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  /// Appends what it has written by now to `text`, at most `limit` bytes. False if its output has
  /// ended. Never waits.
  [[nodiscard]] bool read_output(std::string& text, std::size_t limit);
  /// Returns when there is output, its output has ended, or the time is over.
  void wait_for_output(Nanoseconds timeout);
  /// The end of what it has written to standard error so far, kErrorsKept bytes at most.
  [[nodiscard]] const std::string& errors();

  /// How it ended; empty if it still runs. Waits for its end up to this long.
  [[nodiscard]] std::optional<ExitStatus> wait(Nanoseconds timeout);
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  static constexpr std::size_t kErrorsKept = 4096;
  /// The time from SIGTERM to SIGKILL.
  static constexpr Nanoseconds kGrace = std::chrono::milliseconds{200};
  /// How long the destructor waits for the end. A program that has not ended by then is reaped
  /// later, when the next program is started or ended.
  static constexpr Nanoseconds kPatience = std::chrono::milliseconds{600};

 private:
  ChildProcess(pid_t pid, int output, int errors) : pid_(pid), output_(output), errors_(errors) {}
  void end() noexcept;
  [[nodiscard]] bool reap() noexcept;

  pid_t pid_ = -1;  // -1: moved from
  int output_ = -1;
  int errors_ = -1;
  std::string error_text_;
  std::optional<ExitStatus> status_;
};

/// Whether this is the process of a ChildProcess: it is running, or was not reaped yet.
/// Threads: any.
[[nodiscard]] bool is_child_process(pid_t pid);

/// The files that a program's name may mean, in the order of PATH, whether they exist or not; of a
/// path that path alone.
[[nodiscard]] std::vector<std::string> paths_of_program(std::string_view name);
/// The directories of PATH; "." for an empty entry.
[[nodiscard]] std::vector<std::string> program_directories();

/// The path of a program: a path is returned as it is, a name is found in PATH. Empty if there is
/// no such program.
[[nodiscard]] std::optional<std::string> find_program(std::string_view name);

}  // namespace enprof
