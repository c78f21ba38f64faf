#include "base/signal_queue.hpp"

#include "base/start_thread.hpp"
#include "base/thread_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is POSIX, not C++
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

constexpr std::array kEnding{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr ReceivedSignal kEnd{};  // ends the thread that reads

std::atomic<int> write_end{-1};  // of the pipe
static_assert(std::atomic<int>::is_always_lock_free);

/// Async-signal-safe. A pipe holds thousands of signals; one that finds it full is lost.
void send(const ReceivedSignal& signal) {
  [[maybe_unused]] const ssize_t written = ::write(write_end.load(), &signal, sizeof(signal));
}

void on_signal(int number, siginfo_t* info, void* /*context*/) {
  const int error_number = errno;
  // Linux: what is not above zero comes from a process.
  const bool is_from_process =
      info != nullptr && (info->si_code == SI_USER || info->si_code <= 0) && number != SIGCHLD;
  send({.number = number, .sender = is_from_process ? info->si_pid : 0});
  errno = error_number;
}

bool is_ignored(int number) {
  struct sigaction now{};
  return sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

bool is_ending(int number) { return std::ranges::find(kEnding, number) != kEnding.end(); }

}  // namespace

Result<void> SignalQueue::start(const Clock& clock) {
  arrived_.set_clock(clock);
  if (::pipe(pipe_.data()) != 0) {
    const int error_number = errno;
    return fail(
        ErrorCode::unavailable,
        fmt::format("Signals cannot be handled: {}", std::generic_category().message(error_number)),
        "Raise the limit on open files: ulimit -n 1024");
  }
  for (const int end : pipe_) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  fcntl(pipe_[1], F_SETFL, O_NONBLOCK);
  write_end.store(pipe_[1]);
  auto reader = start_thread("The thread that handles signals", [this] { read_pipe(); });
  if (!reader) {
    return std::unexpected(reader.error());
  }
  reader_ = *std::move(reader);
  take(kEnding);
  take(std::array{SIGCHLD});
  return {};
}

SignalQueue::~SignalQueue() {
  give_back(std::vector<int>(taken_));
  if (reader_.joinable()) {
    fcntl(pipe_[1], F_SETFL, 0);  // a full pipe is being read
    send(kEnd);
    reader_.join();
  }
  write_end.store(-1);
  for (const int end : pipe_) {
    if (end >= 0) {
      ::close(end);
    }
  }
}

void SignalQueue::take(std::span<const int> numbers) {
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP;
  sigfillset(&action.sa_mask);
  for (const int number : numbers) {
    // Without SIGCHLD nobody could learn how a child ended.
    if (number == SIGCHLD || !is_ignored(number)) {
      sigaction(number, &action, nullptr);
      taken_.push_back(number);
    }
  }
}

void SignalQueue::give_back(std::span<const int> numbers) {
  for (const int number : numbers) {
    if (std::erase(taken_, number) > 0) {
      std::signal(number, SIG_DFL);
    }
  }
}

void SignalQueue::read_pipe() {
  name_this_thread("enprof-signals");
  for (;;) {
    ReceivedSignal signal;
    const ssize_t count = ::read(pipe_[0], &signal, sizeof(signal));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count != static_cast<ssize_t>(sizeof(signal)) || signal == kEnd) {
      return;
    }
    push(signal);
  }
}

void SignalQueue::push(const ReceivedSignal& signal) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(signal);
    if (ending_ == 0 && is_ending(signal.number)) {
      ending_ = signal.number;
    }
  }
  arrived_.notify();
  if (is_ending(signal.number)) {
    source_.request_stop();
  }
}

std::optional<ReceivedSignal> SignalQueue::next(Instant until) {
  std::unique_lock lock(mutex_);
  if (!arrived_.wait_until(lock, until, [this] { return !queue_.empty(); })) {
    return std::nullopt;
  }
  const ReceivedSignal oldest = queue_.front();
  queue_.pop_front();
  return oldest;
}

int SignalQueue::ending_signal() const {
  const std::lock_guard lock(mutex_);
  return ending_;
}

}  // namespace enprof
