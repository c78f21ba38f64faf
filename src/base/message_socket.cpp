#include "base/message_socket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>

namespace enprof {
namespace {

/// Before each message: its length.
using Length = std::uint32_t;

#if defined(MSG_NOSIGNAL)
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // the program ignores SIGPIPE
#endif
#if defined(MSG_CMSG_CLOEXEC)
constexpr int kReceiveFlags = MSG_CMSG_CLOEXEC;
#else
constexpr int kReceiveFlags = 0;
#endif

std::unexpected<Error> broken(std::string_view what, int error) {
  const bool gone = error == 0 || error == EPIPE || error == ECONNRESET;
  return fail(gone ? ErrorCode::process_exited : ErrorCode::io,
              gone ? "The other process has closed the connection"
                   : fmt::format("A message to another process cannot be {}: {}", what,
                                 std::generic_category().message(error)));
}

/// Room for one descriptor beside a message.
union DescriptorRoom {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

}  // namespace

OwnedDescriptor::~OwnedDescriptor() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Result<std::pair<MessageSocket, MessageSocket>> MessageSocket::make_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) {
    return fail(ErrorCode::unavailable,
                fmt::format("A connection between two processes cannot be made: {}",
                            std::generic_category().message(errno)),
                "See the limit of open files: ulimit -n.");
  }
  for (const int end : ends) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  return std::pair{MessageSocket(ends[0]), MessageSocket(ends[1])};
}

Result<void> MessageSocket::send(std::string_view text, int descriptor) {
  if (text.size() > kLongest) {
    return fail(ErrorCode::too_large,
                fmt::format("A message to another process has {} bytes", text.size()));
  }
  auto length = static_cast<Length>(text.size());
  std::array<iovec, 2> parts{
      iovec{.iov_base = &length, .iov_len = sizeof(length)},
      // sendmsg does not write to it.
      iovec{.iov_base = const_cast<char*>(text.data()),  // NOLINT(*-const-cast)
            .iov_len = text.size()}};
  DescriptorRoom room{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (descriptor >= 0) {
    message.msg_control = room.bytes.data();
    message.msg_controllen = room.bytes.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  }
  for (;;) {
    const ssize_t sent = sendmsg(socket_.get(), &message, kSendFlags);
    if (sent < 0) {
      if (errno == EINTR) {
        continue;
      }
      return broken("sent", errno);
    }
    message.msg_control = nullptr;  // it went with the first byte
    message.msg_controllen = 0;
    auto left = static_cast<std::size_t>(sent);
    for (iovec& part : parts) {
      const std::size_t from_this = std::min(left, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + from_this;
      part.iov_len -= from_this;
      left -= from_this;
    }
    if (parts[0].iov_len == 0 && parts[1].iov_len == 0) {
      return {};
    }
  }
}

Result<void> MessageSocket::receive_bytes(char* to, std::size_t count, OwnedDescriptor* with) {
  while (count > 0) {
    iovec part{.iov_base = to, .iov_len = count};
    DescriptorRoom room{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = room.bytes.data();
    message.msg_controllen = room.bytes.size();
    const ssize_t received = recvmsg(socket_.get(), &message, kReceiveFlags);
    if (received < 0 && errno == EINTR) {
      continue;
    }
    if (received <= 0) {
      return broken("received", received == 0 ? 0 : errno);
    }
    for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(header))) {  // NOLINT(*-const-cast)
      if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
        OwnedDescriptor owned(descriptor);
        if (with != nullptr) {
          *with = std::move(owned);
        }
      }
    }
    to += received;
    count -= static_cast<std::size_t>(received);
  }
  return {};
}

Result<std::optional<MessageSocket::Message>> MessageSocket::receive(Nanoseconds timeout) {
  pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  const auto wait =
      std::chrono::ceil<std::chrono::milliseconds>(std::max(timeout, Nanoseconds{0})).count();
  const int ready = poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(wait, 1'000'000)));
  if (ready == 0 || (ready < 0 && errno == EINTR)) {
    return std::nullopt;
  }
  Length length = 0;
  Message message;
  std::array<char, sizeof(length)> bytes{};
  if (auto got = receive_bytes(bytes.data(), bytes.size(), &message.descriptor); !got) {
    return std::unexpected(std::move(got.error()));
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > kLongest) {
    return fail(ErrorCode::malformed,
                fmt::format("Another process announces a message of {} bytes", length));
  }
  message.text.resize(length);
  if (auto got = receive_bytes(message.text.data(), length, nullptr); !got) {
    return std::unexpected(std::move(got.error()));
  }
  return message;
}

}  // namespace enprof
