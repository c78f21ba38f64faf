#include "base/shared_memory.hpp"

#include "base/format_bytes.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace enprof {
namespace {

std::unexpected<Error> refused(std::string_view what, std::size_t bytes, int error) {
  return fail(error == ENOMEM || error == ENOSPC || error == EFBIG ? ErrorCode::too_large
                                                                   : ErrorCode::unavailable,
              fmt::format("{} of memory that two processes share cannot be {}: {}",
                          format_bytes(bytes), what, std::generic_category().message(error)),
              "See the limits of memory and of open files: ulimit -v, ulimit -n.");
}

/// A file without a name, or -1 with errno.
int open_unnamed(const char* name) {
#if defined(__linux__)
  return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
#else
  const std::string path = fmt::format("/{}-{}", name, getpid());
  const int descriptor = shm_open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  if (descriptor >= 0) {
    shm_unlink(path.c_str());
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  return descriptor;
#endif
}

}  // namespace

Result<SharedMemory> SharedMemory::make(const char* name, std::size_t bytes) {
  SharedMemory memory(open_unnamed(name));
  if (memory.descriptor_ < 0 || ftruncate(memory.descriptor_, static_cast<off_t>(bytes)) != 0) {
    return refused("made", bytes, errno);
  }
#if defined(__linux__)
  // The other process cannot make it smaller: an access beyond its end would end this one.
  fcntl(memory.descriptor_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
#endif
  if (auto mapped = memory.map_bytes(bytes); !mapped) {
    return std::unexpected(std::move(mapped.error()));
  }
  return memory;
}

Result<SharedMemory> SharedMemory::map(int descriptor, std::size_t bytes) {
  SharedMemory memory(descriptor);
  struct stat status{};
  if (fstat(descriptor, &status) != 0) {
    return refused("looked at", bytes, errno);
  }
  if (static_cast<std::size_t>(status.st_size) < bytes) {
    return fail(
        ErrorCode::corrupt,
        fmt::format("The memory that two processes share has {}, and not {}",
                    format_bytes(static_cast<std::size_t>(status.st_size)), format_bytes(bytes)));
  }
  if (auto mapped = memory.map_bytes(bytes); !mapped) {
    return std::unexpected(std::move(mapped.error()));
  }
  return memory;
}

Result<void> SharedMemory::map_bytes(std::size_t bytes) {
  void* const address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED) {
    return refused("mapped", bytes, errno);
  }
  memory_ = {static_cast<std::byte*>(address), bytes};
  return {};
}

SharedMemory::~SharedMemory() {
  if (!memory_.empty()) {
    munmap(memory_.data(), memory_.size());
  }
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

}  // namespace enprof
