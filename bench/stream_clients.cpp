#include "stream_clients.hpp"

#include "thread_cpus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <span>
#include <stdexcept>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace enprof::bench {
namespace {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC, like enprof's

/// Latencies are counted in steps of 0.1 ms.
constexpr double kStepsPerMs = 10.0;
constexpr std::size_t kSteps = 100'000;

[[noreturn]] void fail_now(const char* what) {
  throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

struct Command {
  enum class Kind : std::uint8_t { connect, mark, report };
  Kind kind = Kind::mark;
  std::uint16_t port = 0;
  std::uint32_t watchers = 0;
  std::uint64_t last = 0;
};

/// The number after the first occurrence of a key from `from` on.
std::int64_t number_after(std::string_view text, std::string_view key, std::size_t from) {
  const auto at = text.find(key, from);
  std::int64_t number = 0;
  if (at != std::string_view::npos) {
    std::from_chars(text.data() + at + key.size(), text.data() + text.size(), number);
  }
  return number;
}

class Watcher {
 public:
  explicit Watcher(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      fail_now("a watcher cannot connect");
    }
    const std::string request = fmt::format(
        "GET /ws/profiling HTTP/1.1\r\nHost: localhost:{}\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        port);
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
      fail_now("a watcher cannot ask");
    }
    while (text().find("\r\n\r\n") == std::string_view::npos) {
      if (!receive(0)) {
        throw std::runtime_error("the server closed a watcher's connection");
      }
    }
    if (!text().starts_with("HTTP/1.1 101")) {
      throw std::runtime_error(fmt::format("the server refused a watcher: {}", text()));
    }
    taken_ += text().find("\r\n\r\n") + 4;
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() { ::close(socket_); }

  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] std::uint64_t last() const { return last_; }

  /// Reads what has arrived; false if the connection has ended.
  template <class Take>
  bool read(const Take& take_event) {
    const bool open = receive(MSG_DONTWAIT);
    const auto now = Clock::now().time_since_epoch();
    for (std::string_view frame = next_frame(); !frame.empty(); frame = next_frame()) {
      constexpr std::string_view kBegin = "{\"seq\":";
      for (auto at = frame.find(kBegin); at != std::string_view::npos;
           at = frame.find(kBegin, at + 1)) {
        const auto number = static_cast<std::uint64_t>(number_after(frame, kBegin, at));
        const std::uint64_t missed = last_ == 0 || number == last_ + 1 ? 0 : number - last_ - 1;
        last_ = number;
        take_event(missed, now - std::chrono::nanoseconds{number_after(frame, "\"at_ns\":", at)});
      }
    }
    return open;
  }

 private:
  [[nodiscard]] std::string_view text() const {
    return {buffer_.data() + taken_, buffer_.size() - taken_};
  }

  /// Answers a ping: the server drops a client that does not.
  void answer_ping(std::string_view payload) const {
    std::string pong{static_cast<char>(0x8A), static_cast<char>(0x80U | payload.size())};
    pong.append(4, '\0');  // a mask of zeros changes nothing
    pong += payload;
    if (::send(socket_, pong.data(), pong.size(), MSG_NOSIGNAL) < 0) {
      fail_now("a watcher cannot answer a ping");
    }
  }

  bool receive(int flags) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kPiece);
    const ssize_t count = ::recv(socket_, buffer_.data() + before, kPiece, flags);
    buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
  }

  /// The payload of the next complete text frame; empty if there is none.
  std::string_view next_frame() {
    while (true) {
      const std::string_view rest = text();
      if (rest.size() < 2) {
        return {};
      }
      std::size_t length = static_cast<unsigned char>(rest[1]) & 0x7FU;
      const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
      if (rest.size() < 2 + more) {
        return {};
      }
      if (more > 0) {
        length = 0;
        for (std::size_t index = 0; index < more; ++index) {
          length = length << 8U | static_cast<unsigned char>(rest[2 + index]);
        }
      }
      if (rest.size() < 2 + more + length) {
        return {};
      }
      taken_ += 2 + more + length;
      const unsigned opcode = static_cast<unsigned char>(rest[0]) & 0x0FU;
      if (opcode == kText) {
        return rest.substr(2 + more, length);
      }
      if (opcode == kPing) {
        answer_ping(rest.substr(2 + more, length));
      }
    }
  }

  static constexpr unsigned kText = 1;  // RFC 6455, 5.2
  static constexpr unsigned kPing = 9;
  static constexpr std::size_t kPiece = std::size_t{64} << 10U;
  int socket_;
  std::vector<char> buffer_;
  std::size_t taken_ = 0;
  std::uint64_t last_ = 0;
};

/// The child process.
class Generator {
 public:
  explicit Generator(int commands) : commands_(commands), epoll_(::epoll_create1(0)) {
    add(commands_, nullptr);
  }

  void run() {
    std::array<epoll_event, 64> ready{};
    while (true) {
      const int count = ::epoll_wait(epoll_, ready.data(), ready.size(), 1000);
      for (int index = 0; index < count; ++index) {
        auto* const watcher =
            static_cast<Watcher*>(ready.at(static_cast<std::size_t>(index)).data.ptr);
        if (watcher != nullptr) {
          read_events(*watcher);
        } else if (!obey()) {
          return;
        }
      }
      answer_when_done();
    }
  }

 private:
  void add(int descriptor, Watcher* watcher) const {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = watcher}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
      fail_now("epoll_ctl");
    }
  }

  void read_events(Watcher& watcher) {
    const bool open = watcher.read([&](std::uint64_t missed, std::chrono::nanoseconds latency) {
      ++report_.events;
      report_.lost += missed;
      const double steps = std::chrono::duration<double, std::milli>(latency).count() * kStepsPerMs;
      ++latencies_.at(std::min(kSteps - 1, static_cast<std::size_t>(std::max(0.0, steps))));
    });
    if (!open) {
      --report_.watchers;
      static_cast<void>(::epoll_ctl(epoll_, EPOLL_CTL_DEL, watcher.socket(), nullptr));
    }
  }

  bool obey() {
    Command command;
    if (::recv(commands_, &command, sizeof command, MSG_WAITALL) !=
        static_cast<ssize_t>(sizeof command)) {
      return false;  // the parent has finished
    }
    switch (command.kind) {
      case Command::Kind::connect:
        for (std::uint32_t count = 0; count < command.watchers; ++count) {
          watchers_.push_back(std::make_unique<Watcher>(command.port));
          add(watchers_.back()->socket(), watchers_.back().get());
        }
        report_.watchers = command.watchers;
        answer();
        break;
      case Command::Kind::mark:
        report_ = {.watchers = report_.watchers};
        latencies_.assign(kSteps, 0);
        answer();
        break;
      case Command::Kind::report:
        awaited_ = command.last;
        deadline_ = Clock::now() + std::chrono::seconds{10};
        break;
    }
    return true;
  }

  void answer_when_done() {
    const bool waits = std::ranges::any_of(
        watchers_, [&](const auto& watcher) { return watcher->last() < awaited_; });
    if (awaited_ == 0 || (waits && Clock::now() < deadline_)) {
      return;
    }
    StreamReport told = report_;
    for (const auto& watcher : watchers_) {
      told.lost += awaited_ - std::min(awaited_, watcher->last());
    }
    told.latency_p50_ms = percentile(0.50);
    told.latency_p99_ms = percentile(0.99);
    awaited_ = 0;
    send(told);
  }

  void answer() const { send(report_); }
  void send(const StreamReport& report) const {
    if (::send(commands_, &report, sizeof report, MSG_NOSIGNAL) < 0) {
      fail_now("the parent does not listen");
    }
  }

  [[nodiscard]] double percentile(double share) const {
    std::uint64_t all = 0;
    for (const std::uint64_t count : latencies_) {
      all += count;
    }
    std::uint64_t below = 0;
    std::size_t step = 0;
    while (step < kSteps && below + latencies_[step] <
                                static_cast<std::uint64_t>(share * static_cast<double>(all))) {
      below += latencies_[step++];
    }
    return (static_cast<double>(step) + 0.5) / kStepsPerMs;
  }

  int commands_;
  int epoll_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  StreamReport report_;
  std::vector<std::uint64_t> latencies_ = std::vector<std::uint64_t>(kSteps);
  std::uint64_t awaited_ = 0;  // the event that ends the measurement; 0: none
  Clock::time_point deadline_;
};

StreamReport ask(int socket, const Command& command) {
  StreamReport report;
  if (::send(socket, &command, sizeof command, MSG_NOSIGNAL) < 0 ||
      ::recv(socket, &report, sizeof report, MSG_WAITALL) != static_cast<ssize_t>(sizeof report)) {
    throw std::runtime_error("the watchers' process has ended");
  }
  return report;
}

}  // namespace

void pin_thread(int cpu) {
  if (!keep_thread_on(std::span(&cpu, 1))) {
    fail_now("sched_setaffinity");
  }
}

StreamClients::StreamClients(int cpu) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    fail_now("socketpair");
  }
  child_ = ::fork();
  if (child_ < 0) {
    fail_now("fork");
  }
  if (child_ == 0) {
    ::close(ends[0]);
    int status = 0;
    try {
      pin_thread(cpu);
      Generator(ends[1]).run();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "enprof_bench: %s\n", error.what());
      status = 1;
    }
    ::_exit(status);
  }
  ::close(ends[1]);
  socket_ = ends[0];
}

StreamClients::~StreamClients() {
  ::close(socket_);
  ::waitpid(child_, nullptr, 0);
}

void StreamClients::connect(std::uint16_t port, std::uint32_t watchers) const {
  static_cast<void>(
      ask(socket_, {.kind = Command::Kind::connect, .port = port, .watchers = watchers}));
}

void StreamClients::mark() const { static_cast<void>(ask(socket_, {.kind = Command::Kind::mark})); }

StreamReport StreamClients::report(std::uint64_t last) const {
  return ask(socket_, {.kind = Command::Kind::report, .last = last});
}

}  // namespace enprof::bench
