// A foreign server: it reads a client's request and gives one fixed answer.
#pragma once

#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <cstdint>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace enprof::testing {

/// Listens on a port of its own; if the answer is empty, it keeps the connection open silently.
class Stranger {
 public:
  explicit Stranger(std::string answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, plain, length) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, plain, &length) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Whether it has heard a client's request.
  [[nodiscard]] bool has_heard() const { return has_heard_; }

 private:
  /// False when it must end.
  [[nodiscard]] bool readable(int descriptor) const {
    pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
    while (!stop_) {
      if (::poll(&wanted, 1, 20) > 0) {
        return true;
      }
    }
    return false;
  }
  void serve() {
    while (readable(listener_)) {
      const int client = ::accept(listener_, nullptr, nullptr);
      std::array<char, 4096> heard{};
      while (readable(client) && ::read(client, heard.data(), heard.size()) > 0) {
        has_heard_ = true;
        if (!answer_.empty()) {
          ::send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL);
          break;
        }
      }
      ::close(client);
    }
  }

  const std::string answer_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<bool> has_heard_{false};
  std::thread thread_;
};

}  // namespace enprof::testing
