// A program that is started for what it writes.
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
  std::optional<int> code;  ///< what it returned; empty where a signal ended it, or nobody knows
  int signal = 0;           ///< the signal that ended it, else 0

  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// "exit code 1", "signal 9 (Killed)".
[[nodiscard]] std::string to_string(const ExitStatus& status);

/// A running program with pipes from its standard output and standard error; its standard input is
/// empty. It is a process group of its own, so that Ctrl-C on our terminal does not reach it, and
/// it inherits no descriptors of ours, no signal mask and no ignored signals: it dies of SIGPIPE as
/// programs do, whatever we made of that signal. Its messages are in English (LC_ALL=C).
///
/// It does not outlive us for long:
/// - the destructor ends it, with SIGTERM and then SIGKILL to its group, and reaps it;
/// - if we are killed, its pipe has no reader any more: SIGPIPE ends it at its next write. A
/// program
///   that writes nothing more runs on until it ends by itself.
/// A program that is another user's (sudo) takes no signals from us: the pipe alone then ends it,
/// at its next write, also after the destructor. One that neither takes signals nor writes cannot
/// be ended by us.
///
/// Threads: one at a time.
class ChildProcess {
 public:
  /// Starts `command`; its first word is a path, or a name to look up in PATH. Errors: not_found,
  /// where there is no such program; permission_denied; unavailable, where the system has no
  /// processes or descriptors left.
  [[nodiscard]] static Result<ChildProcess> start(const std::vector<std::string>& command);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  /// Appends what it has written by now to `text`, at most `limit` bytes. False where its output
  /// has ended. Never waits.
  [[nodiscard]] bool read_output(std::string& text, std::size_t limit);
  /// Returns once there is output, its output has ended, or the time is over.
  void wait_for_output(Nanoseconds timeout);
  /// The end of what it has written to standard error so far, kErrorsKept bytes at most.
  [[nodiscard]] const std::string& errors();

  /// How it ended; empty while it runs. Waits for its end up to this long.
  [[nodiscard]] std::optional<ExitStatus> wait(Nanoseconds timeout);
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  static constexpr std::size_t kErrorsKept = 4096;
  /// From SIGTERM to SIGKILL.
  static constexpr Nanoseconds kGrace = std::chrono::milliseconds{200};
  /// So long the destructor waits for the end; who has not ended by then is reaped later, when the
  /// next program is started or ended.
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

/// Where a program lies: a path as it is, a name looked up in PATH. Empty where it is not there.
[[nodiscard]] std::optional<std::string> find_program(std::string_view name);

}  // namespace enprof
