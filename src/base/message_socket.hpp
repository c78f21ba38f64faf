// A connection between two processes of this machine that carries messages and descriptors.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {

/// A descriptor that is closed with this object.
class OwnedDescriptor {
 public:
  explicit OwnedDescriptor(int descriptor = -1) noexcept : descriptor_(descriptor) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  OwnedDescriptor(const OwnedDescriptor&) = delete;
  OwnedDescriptor& operator=(const OwnedDescriptor&) = delete;
  ~OwnedDescriptor();

  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

/// One end of the connection. A message is text of any length, with at most one descriptor.
/// Threads: one sends and one receives.
class MessageSocket {
 public:
  struct Message {
    std::string text;
    OwnedDescriptor descriptor;
  };
  /// A longer message is a peer's mistake.
  static constexpr std::size_t kLongest = std::size_t{256} << 20U;

  /// Both ends. Errors: unavailable.
  [[nodiscard]] static Result<std::pair<MessageSocket, MessageSocket>> make_pair();
  explicit MessageSocket(int descriptor) noexcept : socket_(descriptor) {}

  /// Waits while the peer reads nothing. `descriptor` stays the caller's; -1: none. Errors:
  /// process_exited if the peer has closed its end.
  [[nodiscard]] Result<void> send(std::string_view text, int descriptor = -1);
  /// The next message. Empty if none came within that time. Errors: process_exited if the peer has
  /// closed its end, or broke off in a message; malformed.
  [[nodiscard]] Result<std::optional<Message>> receive(Nanoseconds timeout);

  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  void close() noexcept { socket_ = OwnedDescriptor{}; }

 private:
  [[nodiscard]] Result<void> receive_bytes(char* to, std::size_t count, OwnedDescriptor* with);

  OwnedDescriptor socket_;
};

}  // namespace enprof
