// The message and the note that a program leaves when it has to end at once: with which model, in
// which run, and why.
#pragma once

#include <string_view>

namespace enprof {

/// Says what the program is doing, for the message if the program dies. There is one at a time in a
/// program; a second one has no effect. Signals on the thread that made it are handled on a stack
/// of their own, so that a stack overflow is reported too.
class CrashContext {
 public:
  /// `note`: an open descriptor that the reason is written to, or -1. It belongs to the caller and
  /// stays open as long as this object lives.
  CrashContext(std::string_view model, std::string_view run_id, int note) noexcept;
  CrashContext(const CrashContext&) = delete;
  CrashContext& operator=(const CrashContext&) = delete;
  ~CrashContext();

 private:
  bool is_told_;
};

/// Reports a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) or an uncaught exception on stderr
/// and in the note, with what the program was doing. Signals that already have a handler (a
/// sanitizer's) are left alone.
void install_last_words() noexcept;

/// Ends the program at once, with exit code 1, and reports the reason. For a failure on a thread
/// that cannot be unwound; only the first call is reported.
[[noreturn]] void end_with_last_words(std::string_view reason) noexcept;

/// Keeps a line that a library logged, to report it if the program dies; only the latest few lines
/// are kept. Threads: any.
void remember_line(std::string_view line) noexcept;

}  // namespace enprof
