#include "cli/interrupt.hpp"

#include "base/log.hpp"
#include "base/start_thread.hpp"
#include "base/thread_name.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"signals"};

std::atomic<int> received_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);
std::atomic<int> wake_end{-1};  // write end of the pipe that the waiter reads

/// Async-signal-safe.
void wake_waiter() {
  constexpr char kByte = 0;
  [[maybe_unused]] const ssize_t written = ::write(wake_end.load(), &kByte, 1);
}

void on_signal(int number) {
  const int error_number = errno;
  received_signal.store(number);
  wake_waiter();
  // The second signal ends the program. A closed terminal usually sends two SIGHUP, one from the
  // shell and one from the kernel.
  std::signal(number, number == SIGHUP ? SIG_IGN : SIG_DFL);
  errno = error_number;
}

/// `nohup` makes the program ignore SIGHUP, which must be respected.
bool is_hangup_ignored() {
  struct sigaction now{};
  return sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

Interrupt::Interrupt() : handles_hangup_(!is_hangup_ignored()) {
  received_signal.store(0);
  if (::pipe(pipe_.data()) != 0) {
    kLog.error("Ctrl-C will end the program immediately: cannot create a pipe (errno {})", errno);
    return;
  }
  for (const int end : pipe_) {
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  wake_end.store(pipe_[1]);
  auto waiter = start_thread("The thread that waits for Ctrl-C", [this] {
    name_this_thread("enprof-signals");
    char byte = 0;
    while (::read(pipe_[0], &byte, 1) < 0 && errno == EINTR) {
    }
    if (received_signal.load() != 0) {
      source_.request_stop();
    }
  });
  if (!waiter) {
    kLog.error("Ctrl-C will end the program immediately: {}", waiter.error().message);
    return;
  }
  waiter_ = *std::move(waiter);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  if (handles_hangup_) {
    std::signal(SIGHUP, on_signal);
  }
}

Interrupt::~Interrupt() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  if (handles_hangup_) {
    std::signal(SIGHUP, SIG_DFL);
  }
  if (waiter_.joinable()) {
    wake_waiter();
    waiter_.join();
  }
  for (const int end : pipe_) {
    if (end >= 0) {
      ::close(end);
    }
  }
}

bool Interrupt::requested() const { return received_signal.load() != 0; }

int Interrupt::exit_code() const {
  const int number = received_signal.load();
  return number == 0 ? 0 : 128 + number;
}

}  // namespace enprof
