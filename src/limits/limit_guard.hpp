// A process that puts the machine's limits back when enprof ends, however it ends.
#pragma once

#include "enprof/base/error.hpp"

#include "limits/limit_setting.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace enprof {

/// Our end of the guard: a process in a session of its own, which ignores what a terminal sends
/// (SIGHUP, SIGINT, SIGQUIT) and SIGTERM. It is told the present values before anything is changed,
/// and waits for the end of a pipe from us. When that comes, by release() or because we are gone,
/// even by `kill -9`, it sets the values again, last one first, reads them back, and says what it
/// could not restore: to us, or on stderr if we are gone. What ends both processes at once (a
/// control group that is killed, the machine) ends this too: limits last until the next boot.
///
/// Threads: one.
class LimitGuard {
 public:
  /// Starts `command` (words; it must end in run_limit_guard()) and hands it the values to restore.
  /// When this returns, the guard has them. Errors: unavailable.
  [[nodiscard]] static Result<LimitGuard> start(const std::vector<std::string>& command,
                                                const std::vector<LimitSetting>& present);
  LimitGuard(LimitGuard&& other) noexcept;
  LimitGuard& operator=(LimitGuard&& other) noexcept;
  LimitGuard(const LimitGuard&) = delete;
  LimitGuard& operator=(const LimitGuard&) = delete;
  ~LimitGuard();  ///< as release(), without a result

  /// Whether the guard is still there.
  [[nodiscard]] bool is_alive() const;
  /// Has the values restored, and waits for the guard's end. Errors: what could not be restored, or
  /// that the guard is gone.
  [[nodiscard]] Result<void> release();
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  LimitGuard(pid_t pid, int to_guard, int from_guard)
      : pid_(pid), to_guard_(to_guard), from_guard_(from_guard) {}

  pid_t pid_ = -1;
  int to_guard_ = -1;
  int from_guard_ = -1;
};

/// The guard: reads the values from `input`, writes "ready" to `output`, waits for the end of
/// `input` or for "release", restores, and writes what failed. Returns an exit code.
[[nodiscard]] int run_limit_guard(int input, int output);

/// The program's only argument that makes it a guard.
inline constexpr const char* kLimitGuardArgument = "--guard-limits";

}  // namespace enprof
