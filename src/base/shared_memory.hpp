// Memory that two processes share.
#pragma once

#include "enprof/base/error.hpp"

#include <cstddef>
#include <span>
#include <utility>

namespace enprof {

/// Memory of a file without a name, mapped. It lives until the last process that has mapped it, or
/// holds its descriptor, ends: nothing is left behind. Pages that nobody wrote to take no memory.
/// Threads: one at a time.
class SharedMemory {
 public:
  /// New memory, all zero. `name` appears in /proc/PID/maps. Errors: too_large, unavailable.
  [[nodiscard]] static Result<SharedMemory> make(const char* name, std::size_t bytes);
  /// Maps the memory behind a descriptor, which now belongs to the result. Errors: corrupt if there
  /// are fewer than `bytes`; too_large; unavailable.
  [[nodiscard]] static Result<SharedMemory> map(int descriptor, std::size_t bytes);

  SharedMemory(SharedMemory&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        memory_(std::exchange(other.memory_, {})) {}
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(memory_, other.memory_);
    return *this;
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return memory_; }
  /// Closed when another program is started.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  explicit SharedMemory(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] Result<void> map_bytes(std::size_t bytes);

  int descriptor_ = -1;
  std::span<std::byte> memory_;
};

}  // namespace enprof
