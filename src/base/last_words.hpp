// What is said and kept where the program has to end at once: which model did it, in which run,
// why.
#pragma once

#include <string_view>

namespace enprof {

/// What is under way while one of these lives, should the program die of it. There is one at a time
/// in a program; a second one changes nothing. Signals that come on the thread that made it are
/// handled on a stack of their own, so that one that is used up is told as well.
class Undertaking {
 public:
  /// `note`: an open descriptor that the reason is written to; -1: none. The caller's, and open as
  /// long as this lives.
  Undertaking(std::string_view model, std::string_view run_id, int note) noexcept;
  Undertaking(const Undertaking&) = delete;
  Undertaking& operator=(const Undertaking&) = delete;
  ~Undertaking();

 private:
  bool is_told_;
};

/// From now on the program does not die without a word: of a crash (SIGSEGV, SIGBUS, SIGFPE,
/// SIGILL, SIGABRT) and of an exception that nobody catches, stderr and the note learn, with what
/// was under way. Signals that someone else handles already (a sanitizer) are left alone.
void install_last_words() noexcept;

/// Ends the program at once, with exit code 1, and says why. For a failure on a thread that cannot
/// be unwound; the first one counts.
[[noreturn]] void end_with_last_words(std::string_view reason) noexcept;

/// Keeps a line that a library said, for the last words: the latest few of them. Threads: any.
void remember_line(std::string_view line) noexcept;

}  // namespace enprof
