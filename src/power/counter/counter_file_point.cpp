#include "power/counter/counter_file_point.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

namespace enprof {
namespace {

/// The longest number has 20 digits.
constexpr std::size_t kLongestLine = 32;

int open_to_read(const char* path) {
  int descriptor = -1;
  do {
    descriptor = ::open(path, O_RDONLY | O_CLOEXEC);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

/// Puts `from` in the place of `to`.
void replace(int from, int to) {
#if defined(__linux__)
  ::dup3(from, to, O_CLOEXEC);
#else
  ::dup2(from, to);
  ::fcntl(to, F_SETFD, FD_CLOEXEC);
#endif
}

}  // namespace

CounterFilePoint::~CounterFilePoint() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void CounterFilePoint::open(const std::filesystem::path& path) noexcept {
  const int opened = open_to_read(path.c_str());
  if (opened < 0) {
    return;
  }
  if (const int present = descriptor_; present >= 0) {
    replace(opened, present);
    ::close(opened);
  } else {
    descriptor_ = opened;
  }
}

std::optional<std::uint64_t> CounterFilePoint::read() const noexcept {
  std::array<char, kLongestLine> line{};
  const int descriptor = descriptor_.load(std::memory_order_acquire);
  const ssize_t length = descriptor < 0 ? -1 : ::pread(descriptor, line.data(), line.size(), 0);
  if (length <= 0) {
    return std::nullopt;
  }
  const char* const end_of_line = line.data() + length;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(line.data(), end_of_line, value);
  if (error != std::errc{} || (end != end_of_line && *end != '\n')) {
    return std::nullopt;
  }
  return value;
}

}  // namespace enprof
