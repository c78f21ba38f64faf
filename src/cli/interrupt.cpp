#include "cli/interrupt.hpp"

#include <csignal>

namespace enprof {
namespace {

std::atomic<bool> requested_flag{false};
std::atomic<int> received_signal{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void on_signal(int number) {
  received_signal.store(number);
  requested_flag.store(true);
  // The second one ends the program. Of a terminal that is closed two come as a rule, one from the
  // shell and one from the kernel.
  std::signal(number, number == SIGHUP ? SIG_IGN : SIG_DFL);
}

/// `nohup` has it ignored, and means it.
bool is_hangup_ignored() {
  struct sigaction now{};
  return sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

Interrupt::Interrupt() : hears_hangup_(!is_hangup_ignored()) {
  requested_flag.store(false);
  received_signal.store(0);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  if (hears_hangup_) {
    std::signal(SIGHUP, on_signal);
  }
}

Interrupt::~Interrupt() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  if (hears_hangup_) {
    std::signal(SIGHUP, SIG_DFL);
  }
}

const std::atomic<bool>& Interrupt::flag() const { return requested_flag; }

int Interrupt::exit_code() const {
  const int number = received_signal.load();
  return number == 0 ? 0 : 128 + number;
}

}  // namespace enprof
