#include "power/counter/counter_file_point.hpp"

#include "power/counter/descriptor_point.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace enprof {
namespace {

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
  return DescriptorPoint::read({.number = descriptor_.load(std::memory_order_acquire)});
}

std::optional<CounterPoint::Descriptor> CounterFilePoint::descriptor() const noexcept {
  const int number = descriptor_.load(std::memory_order_acquire);
  return number < 0 ? std::nullopt : std::optional{Descriptor{.number = number}};
}

}  // namespace enprof
