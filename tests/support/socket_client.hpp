// A client on a plain socket: it sends exactly what the test says, well-formed or not.
#pragma once

#include "support/wait_until.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace enprof::testing {

/// What does not come in kLongWait is a std::runtime_error.
class SocketClient {
 public:
  /// `own`: its own address; null: any.
  explicit SocketClient(std::uint16_t port, const char* own = nullptr)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = own != nullptr ? ::inet_addr(own) : 0;
    if (own != nullptr &&
        ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot come from " + std::string(own));
    }
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = kLongWait.count(), .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect to port " + std::to_string(port));
    }
  }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;
  ~SocketClient() { ::close(socket_); }

  /// Shrinks the receive buffer; call it before much has arrived.
  void shrink_receive_buffer(int bytes = 4096) const {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }

  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) {
        return false;
      }
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  /// Status line, headers and body of one answer; all that arrived, if the server closes before.
  std::string answer() {
    while (true) {
      const auto head = received_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const auto length = content_length(received_.substr(0, head));
        if (received_.size() >= head + 4 + length) {
          return pop(head + 4 + length);
        }
      }
      if (!receive()) {
        return pop(received_.size());
      }
    }
  }

  /// Status line and headers of an answer, whose body follows.
  std::string head() { return until("\r\n\r\n"); }
  /// What arrives up to the end of a mark; all that arrived, if the server closes before.
  std::string until(std::string_view mark) {
    std::size_t searched = 0;
    while (true) {
      const auto at = received_.find(mark, searched);
      if (at != std::string::npos) {
        return pop(at + mark.size());
      }
      searched = received_.size() - std::min(received_.size(), mark.size());
      if (!receive()) {
        return pop(received_.size());
      }
    }
  }
  /// What arrives until the server closes.
  std::string rest() {
    while (receive()) {
    }
    return pop(received_.size());
  }

  /// Asks for a page with the usual headers and returns the answer.
  std::string get(const std::string& target, const std::string& headers = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) + "\r\n" +
         headers + "\r\n");
    return answer();
  }

  /// Upgrades to a WebSocket; returns the answer to the handshake.
  std::string upgrade(const std::string& target, const std::string& headers = "") {
    return get(target,
               "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                   headers);
  }

  struct Frame {
    int opcode = -1;  ///< 1 text, 8 close, 9 ping; -1: the connection ended
    std::string payload;
  };
  /// The next frame that is not a ping.
  Frame frame() {
    while (true) {
      if (!need(2)) {
        return {};
      }
      const auto first = static_cast<unsigned char>(received_[0]);
      std::size_t length = static_cast<unsigned char>(received_[1]) & 0x7FU;
      std::size_t head = 2;
      const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
      if (!need(head + more)) {
        return {};
      }
      if (more > 0) {
        length = 0;
        for (std::size_t index = 0; index < more; ++index) {
          length = length << 8U | static_cast<unsigned char>(received_[head + index]);
        }
        head += more;
      }
      if (!need(head + length)) {
        return {};
      }
      pop(head);
      Frame result{.opcode = first & 0x0F, .payload = pop(length)};
      if (result.opcode != 9) {
        return result;
      }
    }
  }
  /// Sends a masked text frame, as clients must.
  bool say(std::string_view text) const {
    std::string frame{'\x81'};
    if (text.size() < 126) {
      frame += static_cast<char>(0x80U | text.size());
    } else {
      frame += static_cast<char>(0x80U | 126U);
      frame += static_cast<char>(text.size() >> 8U);
      frame += static_cast<char>(text.size() & 0xFFU);
    }
    frame.append(4, '\0');  // a mask of zeros changes nothing
    frame += text;
    return send(frame);
  }
  /// Whether the server has closed the connection.
  bool closed() { return !receive(); }

 private:
  [[nodiscard]] std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  static std::size_t content_length(const std::string& head) {
    const auto at = head.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
  }
  bool receive() {
    char buffer[16384];
    const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      throw std::runtime_error("nothing has come from the server for a long time");
    }
    if (count <= 0) {
      return false;
    }
    received_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }
  bool need(std::size_t bytes) {
    while (received_.size() < bytes) {
      if (!receive()) {
        return false;
      }
    }
    return true;
  }
  std::string pop(std::size_t bytes) {
    std::string result = received_.substr(0, bytes);
    received_.erase(0, bytes);
    return result;
  }

  int socket_;
  std::string received_;
};

}  // namespace enprof::testing
