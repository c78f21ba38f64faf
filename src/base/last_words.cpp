#include "base/last_words.hpp"

#include "base/say.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <new>
#include <unistd.h>

namespace enprof {
namespace {

/// A text of limited length, for use where memory cannot be allocated.
template <std::size_t Capacity>
class ShortText {
 public:
  void set(std::string_view text) noexcept {
    size_ = 0;
    append(text);
  }
  /// Replaces characters that could control the terminal or begin another line.
  void append(std::string_view text) noexcept {
    for (const char character : text) {
      if (size_ == Capacity) {
        return;
      }
      const auto byte = static_cast<unsigned char>(character);
      text_[size_++] = byte < 0x20 || byte == 0x7F ? '?' : character;
    }
  }
  void end_line() noexcept {
    if (size_ == Capacity) {
      --size_;
    }
    text_[size_++] = '\n';
  }
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, Capacity> text_{};
  std::size_t size_ = 0;
};

constexpr std::size_t kLongestName = 512;
constexpr std::size_t kLinesKept = 6;
constexpr std::size_t kLongestLine = 400;
constexpr std::size_t kSignalStack = 64U << 10U;

// The data below is read when the program dies, on any thread: it is never destroyed.
std::atomic<bool> is_under_way{false};
ShortText<kLongestName> model_name;
ShortText<kLongestName> run_name;
std::atomic<int> note_descriptor{-1};
alignas(16) std::array<std::byte, kSignalStack> signal_stack;

std::array<ShortText<kLongestLine>, kLinesKept> lines;
std::atomic<std::size_t> lines_said{0};
std::atomic_flag lines_in_use = ATOMIC_FLAG_INIT;

std::atomic<bool> is_dying{false};

void write_note(std::string_view text) noexcept {
  const int descriptor = note_descriptor.load();
  while (descriptor >= 0 && !text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void say_last_words(std::string_view reason) noexcept {
  ShortText<2048> text;
  text.append(reason);
  text.end_line();
  if (is_under_way.load(std::memory_order_acquire)) {
    write_note(text.view());
  }
  // The cursor may stand in a progress line.
  say_at_once(isatty(STDERR_FILENO) == 1 ? "\nenprof: error: " : "enprof: error: ");
  say_at_once(text.view());
  const std::size_t said = lines_said.load(std::memory_order_acquire);
  for (std::size_t index = said - std::min(said, kLinesKept); index < said; ++index) {
    ShortText<kLongestLine + 32> line;
    line.append("  llama.cpp logged before: ");
    line.append(lines[index % kLinesKept].view());
    line.end_line();
    say_at_once(line.view());
  }
  if (!is_under_way.load(std::memory_order_acquire)) {
    say_at_once("  The program cannot go on. Please report it.\n");
    return;
  }
  ShortText<2 * kLongestName + 64> who;
  who.append("  It was using the model ");
  who.append(model_name.view());
  if (!run_name.view().empty()) {
    who.append(", in run ");
    who.append(run_name.view());
  }
  who.append(". The program cannot go on.");
  who.end_line();
  say_at_once(who.view());
  if (note_descriptor.load() >= 0) {
    say_at_once(
        "  The part of the run that was saved is kept, as failed, by the next enprof command.\n");
  }
  say_at_once("  Use another conversion of the model, a smaller one, or a smaller --ctx.\n");
}

std::string_view meaning_of(int number) noexcept {
  switch (number) {
    case SIGSEGV:
      return "an access to invalid memory (SIGSEGV)";
    case SIGBUS:
      return "an access beyond the end of a file: was it truncated meanwhile? (SIGBUS)";
    case SIGFPE:
      return "a division by zero (SIGFPE)";
    case SIGILL:
      return "an instruction that this CPU does not have (SIGILL)";
    default:
      return "a check in a library failed (SIGABRT)";
  }
}

void on_crash(int number) {
  std::signal(number, SIG_DFL);
  if (is_dying.exchange(true)) {
    // Another thread has crashed and is reporting that before it ends the program; or the report
    // itself crashed. An alarm ends the wait if it hangs.
    alarm(2);
    pause();
    _exit(1);
  }
  say_last_words(meaning_of(number));
  if (number == SIGABRT) {
    _exit(1);
  }
  raise(number);  // so that the system records the crash
}

[[noreturn]] void on_terminate() {
  ShortText<1024> reason;
  reason.append("an unexpected exception");
  if (const std::exception_ptr thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
      reason.set("out of memory");
    } catch (const std::exception& error) {
      reason.append(": ");
      reason.append(error.what());
    } catch (...) {
      reason.append(" of unknown type");
    }
  }
  end_with_last_words(reason.view());
}

}  // namespace

CrashContext::CrashContext(std::string_view model, std::string_view run_id, int note) noexcept
    : is_told_(!is_under_way.load()) {
  if (!is_told_) {
    return;
  }
  model_name.set(model);
  run_name.set(run_id);
  note_descriptor.store(note);
  stack_t stack{};
  stack.ss_sp = signal_stack.data();
  stack.ss_size = signal_stack.size();
  sigaltstack(&stack, nullptr);
  is_under_way.store(true, std::memory_order_release);
}

CrashContext::~CrashContext() {
  if (!is_told_) {
    return;
  }
  is_under_way.store(false, std::memory_order_release);
  note_descriptor.store(-1);
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
}

void install_last_words() noexcept {
  std::set_terminate(on_terminate);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    struct sigaction now{};
    if (sigaction(number, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) {
      continue;
    }
    struct sigaction ours{};
    ours.sa_handler = on_crash;
    ours.sa_flags = SA_ONSTACK;
    sigaction(number, &ours, nullptr);
  }
}

void end_with_last_words(std::string_view reason) noexcept {
  if (is_dying.exchange(true)) {
    alarm(2);
    while (true) {
      pause();  // the first thread is about to end the program
    }
  }
  say_last_words(reason);
  _exit(1);
}

void remember_line(std::string_view line) noexcept {
  if (lines_in_use.test_and_set(std::memory_order_acquire)) {
    return;  // another thread is writing its line; one of them is enough
  }
  const std::size_t said = lines_said.load(std::memory_order_relaxed);
  lines[said % kLinesKept].set(line);
  lines_said.store(said + 1, std::memory_order_release);
  lines_in_use.clear(std::memory_order_release);
}

}  // namespace enprof
