#include "base/write_signals.hpp"

#include <array>
#include <cstddef>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigset_t is POSIX, not C++

namespace enprof {
namespace {

constexpr std::array kWriteSignals{SIGPIPE, SIGXFSZ};
std::array<bool, kWriteSignals.size()> was_default{};

}  // namespace

void ignore_write_signals() noexcept {
  for (std::size_t index = 0; index < kWriteSignals.size(); ++index) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): SIG_DFL is defined as one
    was_default[index] = std::signal(kWriteSignals[index], SIG_IGN) == SIG_DFL;
  }
}

sigset_t signals_ignored_by_us() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (std::size_t index = 0; index < kWriteSignals.size(); ++index) {
    if (was_default[index]) {
      sigaddset(&set, kWriteSignals[index]);
    }
  }
  return set;
}

}  // namespace enprof
