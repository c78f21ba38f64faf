// A server in this process that echoes requests.
#pragma once

#include "enprof/base/error.hpp"

#include "live/event_hub.hpp"
#include "server/http_server.hpp"
#include "support/manual_clock.hpp"
#include "support/socket_client.hpp"
#include "support/wait_until.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof::testing {

/// A number of pieces of a number of bytes; a failing one has no last piece.
class Pieces final : public TextStream {
 public:
  Pieces(std::size_t pieces, std::size_t bytes, bool fails)
      : pieces_(pieces), bytes_(bytes), fails_(fails) {
    ++alive;
  }
  ~Pieces() override { --alive; }

  Result<bool> next(std::string& text) override {
    if (pieces_ == 0 && fails_) {
      return fail(ErrorCode::not_found, "Run x was deleted while it was read", "");
    }
    text.append(bytes_, static_cast<char>('a' + pieces_ % 26));
    ++made;
    return --pieces_ > 0 || fails_;
  }

  static inline std::atomic<int> alive{0};
  static inline std::atomic<std::size_t> made{0};

 private:
  std::size_t pieces_;
  std::size_t bytes_;
  bool fails_;
};

/// The gate that a handler waits for at /wait.
struct Gate {
  static inline std::atomic<bool> is_open{false};
  static inline std::atomic<int> waiting{0};
};

/// /wait waits at the gate, /throw throws, /stream?pieces=N&bytes=N answers with Pieces; all other
/// requests are echoed.
inline HttpResponse echo(const HttpRequest& request) {
  if (request.path == "/wait") {
    ++Gate::waiting;
    Gate::is_open.wait(false);
  }
  if (request.path == "/throw") {
    throw std::runtime_error("on purpose");
  }
  if (request.path == "/stream") {
    const auto number = [&](const char* name) {
      return std::stoul(std::string(request.parameter(name)));
    };
    HttpResponse response{.content_type = "text/csv"};
    response.stream = std::make_unique<Pieces>(number("pieces"), number("bytes"),
                                               !request.parameter("fails").empty());
    return response;
  }
  return {.status = 200,
          .content_type = "text/plain",
          .body = request.method + " " + request.path + " " + std::string(request.parameter("q")) +
                  " " + request.body,
          .headers = {}};
}

class HttpServerTest : public ::testing::Test {
 protected:
  ~HttpServerTest() override {
    if (thread_.joinable()) {
      server_->stop();
      thread_.join();
    }
  }

  void start(HttpLimits limits = {}, const std::string& token = "") {
    auto opened = HttpServer::open({.port = 0, .token = token, .limits = limits, .clock = &clock_},
                                   echo, hub_);
    ASSERT_TRUE(opened) << opened.error().message;
    server_ = std::move(*opened);
    thread_ = std::thread([this] { server_->run(); });
  }
  [[nodiscard]] std::string post(const std::string& body) const {
    return "POST /p HTTP/1.1\r\nHost: localhost:" + std::to_string(server_->port()) +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  [[nodiscard]] std::string request(const std::string& target,
                                    const std::string& method = "GET") const {
    return method + " " + target +
           " HTTP/1.1\r\nHost: localhost:" + std::to_string(server_->port()) + "\r\n\r\n";
  }
  /// Where a client has gone away, or has been dropped.
  static void wait_until_no_answer_is_made() {
    wait_until("no answer is made any more", [] { return Pieces::alive == 0; });
  }
  void publish(int count, const std::string& type = "token_complete") {
    for (int index = 0; index < count; ++index) {
      hub_.publish("run", type, Nanoseconds{0}, "{}");
    }
  }
  /// The numbers of the events in the next frames, up to `last`.
  static std::vector<int> numbers_to(SocketClient& client, int last) {
    std::vector<int> result;
    while (result.empty() || result.back() < last) {
      const auto frame = client.frame();
      if (frame.opcode != 1) {
        break;
      }
      for (const auto& event : nlohmann::json::parse(frame.payload)) {
        result.push_back(event["seq"].get<int>());
      }
    }
    return result;
  }

  ManualClock clock_;  // of the limit on requests by second
  EventHub hub_{{.events = 1000, .bytes = 6U << 20U}};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

}  // namespace enprof::testing
