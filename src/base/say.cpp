#include "base/say.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <limits.h>  // PIPE_BUF, which <climits> may lack
#include <mutex>
#include <poll.h>
#include <unistd.h>

namespace enprof {
namespace {

constexpr int kPatienceMs = 250;
/// A pipe that is ready takes this many bytes without waiting.
constexpr std::size_t kPiece = PIPE_BUF;

/// Never destroyed: a thread that was left behind may write while the program ends.
struct Speaker {
  std::mutex mutex;
  bool is_not_read = false;
  std::size_t missed = 0;
};
Speaker& speaker() noexcept {
  // Not `new`, which could fail.
  alignas(Speaker) static std::array<std::byte, sizeof(Speaker)> place;
  static auto* const instance = new (place.data()) Speaker;
  return *instance;
}

/// Whether a piece can be written now. A pipe without a reader is not ready: writing to it may end
/// the program, if SIGPIPE is not ignored.
bool is_ready(int patience_ms) noexcept {
  constexpr int kMostTries = 10;  // signals interrupt the wait
  for (int attempt = 0; attempt < kMostTries; ++attempt) {
    pollfd out{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    const int ready = poll(&out, 1, patience_ms);
    if (ready >= 0) {
      return ready > 0 && (out.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
    }
    if (errno != EINTR) {
      return false;
    }
  }
  return false;
}

bool write_all(std::string_view text, int patience_ms) noexcept {
  int refusals = 0;
  while (!text.empty()) {
    if (!is_ready(patience_ms)) {
      return false;
    }
    const ssize_t written = ::write(STDERR_FILENO, text.data(), std::min(text.size(), kPiece));
    constexpr int kMostRefusals = 10;  // by a descriptor that claims to be ready
    if (written < 0 && (errno == EINTR || errno == EAGAIN) && ++refusals < kMostRefusals) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

void say(std::string_view text) noexcept {
  Speaker& speaking = speaker();
  const std::lock_guard lock(speaking.mutex);
  const int error_number = errno;  // the caller may need errno afterwards
  if (speaking.missed > 0) {
    std::array<char, 80> report{};
    const int length =
        std::snprintf(report.data(), report.size(),
                      "enprof: %zu messages were lost: they were not read\n", speaking.missed);
    if (write_all({report.data(), static_cast<std::size_t>(std::max(length, 0))}, 0)) {
      speaking.missed = 0;
      speaking.is_not_read = false;
    }
  }
  if (!write_all(text, speaking.is_not_read ? 0 : kPatienceMs)) {
    speaking.is_not_read = true;
    ++speaking.missed;
  }
  errno = error_number;
}

void say_at_once(std::string_view text) noexcept {
  const int error_number = errno;
  static_cast<void>(write_all(text, 0));
  errno = error_number;
}

}  // namespace enprof
