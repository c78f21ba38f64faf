#include "server/http_server.hpp"

#include "support/socket_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using testing::SocketClient;
using ::testing::StartsWith;

HttpResponse echo(const HttpRequest& request) {
  if (request.path == "/throw") {
    throw std::runtime_error("on purpose");
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

  void start(HttpLimits limits = {}) {
    auto opened = HttpServer::open({.port = 0, .limits = limits}, echo, hub_);
    ASSERT_TRUE(opened) << opened.error().message;
    server_ = std::move(*opened);
    thread_ = std::thread([this] { server_->run(); });
  }
  [[nodiscard]] std::string post(const std::string& body) const {
    return "POST /p HTTP/1.1\r\nHost: localhost:" + std::to_string(server_->port()) +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  void publish(int count, const std::string& type = "token_complete") {
    for (int index = 0; index < count; ++index) {
      hub_.publish("run", type, Nanoseconds{0}, "{}");
    }
  }
  /// Numbers of the events of the next frames, until `last` has come.
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

  EventHub hub_{{.events = 1000, .bytes = 1U << 24U}};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, AnswersRequestAfterRequestOnOneConnection) {
  start();
  SocketClient client(server_->port());
  const std::string first = client.get("/a%20b?q=1");
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(first, HasSubstr("\r\n\r\nGET /a b 1 "));
  EXPECT_THAT(first, HasSubstr("Content-Security-Policy: default-src 'self'"));
  client.send(post("hello"));
  EXPECT_THAT(client.answer(), HasSubstr("POST /p  hello"));
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsA500) {
  start();
  SocketClient client(server_->port());
  EXPECT_THAT(client.get("/throw"), StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(client.get("/fine"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, StrangersAreRefused) {
  start();
  SocketClient client(server_->port());
  client.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  const std::string answer = client.answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(answer, HasSubstr("application/problem+json"));
  SocketClient page(server_->port());
  EXPECT_THAT(page.upgrade("/ws/profiling", "Origin: http://evil.example\r\n"),
              StartsWith("HTTP/1.1 403"));
}

TEST_F(HttpServerTest, LargeAndBrokenRequestsAreRefused) {
  start({.body_bytes = 100, .header_bytes = 1000});
  SocketClient body(server_->port());
  body.send(post(std::string(101, 'x')));
  EXPECT_THAT(body.answer(), StartsWith("HTTP/1.1 413"));
  SocketClient header(server_->port());
  EXPECT_THAT(header.get("/", "X: " + std::string(2000, 'x') + "\r\n"), StartsWith("HTTP/1.1 431"));
  for (const char* text :
       {"\r\n\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02 hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}) {
    SocketClient broken(server_->port());
    broken.send(text);
    EXPECT_THAT(broken.answer(), StartsWith("HTTP/1.1 400")) << text;
  }
  SocketClient fine(server_->port());
  EXPECT_THAT(fine.get("/"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AWatcherHearsWhatHappens) {
  start();
  SocketClient client(server_->port());
  EXPECT_THAT(client.upgrade("/ws/profiling?since=0"), StartsWith("HTTP/1.1 101"));
  publish(3);
  EXPECT_EQ(numbers_to(client, 3), (std::vector<int>{1, 2, 3}));
  publish(1);
  EXPECT_EQ(numbers_to(client, 4), (std::vector<int>{4}));
}

TEST_F(HttpServerTest, AWatcherResumesAfterABreak) {
  start();
  publish(5);
  SocketClient client(server_->port());
  client.upgrade("/ws/profiling?since=2");
  EXPECT_EQ(numbers_to(client, 5), (std::vector<int>{3, 4, 5}));
  SocketClient now(server_->port());
  now.upgrade("/ws/profiling");
  publish(1);
  EXPECT_EQ(numbers_to(now, 6), (std::vector<int>{6}));
}

TEST_F(HttpServerTest, ASubscriptionNarrowsAndAWrongOneEnds) {
  start();
  SocketClient client(server_->port());
  client.upgrade("/ws/profiling?since=0");
  ASSERT_TRUE(client.say(R"({"subscribe":{"types":["error"]}})"));
  // The subscription holds once an event of another type is passed over: ask until it is.
  publish(1, "error");
  EXPECT_EQ(numbers_to(client, 1).back(), 1);
  ASSERT_TRUE(client.say("nonsense"));
  const auto end = client.frame();
  EXPECT_EQ(end.opcode, 8);
  EXPECT_THAT(end.payload, HasSubstr("not a subscription"));
}

TEST_F(HttpServerTest, WhoHasSubscribedToATypeIsCounted) {
  start();
  const auto count_becomes = [&](std::size_t count) {
    while (server_->subscribers("error") != count) {
      std::this_thread::yield();
    }
  };
  {
    SocketClient first(server_->port());
    first.upgrade("/ws/profiling");
    EXPECT_EQ(server_->subscribers("error"), 0U);  // everything is no type
    SocketClient second(server_->port());
    second.upgrade("/ws/profiling");
    first.say(R"({"subscribe":{"types":["error","warning"]}})");
    count_becomes(1);
    second.say(R"({"subscribe":{"types":["error"]}})");
    count_becomes(2);
    first.say(R"({"subscribe":{"types":["warning"]}})");
    count_becomes(1);
  }
  count_becomes(0);  // those who are gone want nothing
}

TEST_F(HttpServerTest, WrongPlacesForAWatcherAreRefused) {
  start({.watchers = 1});
  SocketClient elsewhere(server_->port());
  EXPECT_THAT(elsewhere.upgrade("/ws/other"), StartsWith("HTTP/1.1 404"));
  SocketClient wrong(server_->port());
  EXPECT_THAT(wrong.upgrade("/ws/profiling?since=x"), StartsWith("HTTP/1.1 400"));
  SocketClient first(server_->port());
  EXPECT_THAT(first.upgrade("/ws/profiling"), StartsWith("HTTP/1.1 101"));
  SocketClient second(server_->port());
  EXPECT_THAT(second.upgrade("/ws/profiling"), StartsWith("HTTP/1.1 503"));
}

TEST_F(HttpServerTest, AWatcherThatTakesNothingIsDroppedAndTheOthersDoNotNotice) {
  start({.stalled = std::chrono::seconds{1}});
  SocketClient slow(server_->port());
  slow.take_little();
  slow.upgrade("/ws/profiling");
  SocketClient quick(server_->port());
  quick.upgrade("/ws/profiling");
  const std::string large = '"' + std::string(100'000, 'x') + '"';
  for (int number = 1; server_->dropped_watchers() == 0; ++number) {
    hub_.publish("run", "token_complete", Nanoseconds{0}, large);
    ASSERT_EQ(numbers_to(quick, number).back(), number);
  }
  EXPECT_EQ(server_->dropped_watchers(), 1U);
}

TEST_F(HttpServerTest, StoppingTellsWatchers) {
  start();
  SocketClient client(server_->port());
  client.upgrade("/ws/profiling");
  server_->stop();
  const auto end = client.frame();
  EXPECT_EQ(end.opcode, 8);
  EXPECT_THAT(end.payload, HasSubstr("stopping"));
  server_->stop();
}

TEST_F(HttpServerTest, WatchersThatVanishAreForgotten) {
  start();
  {
    std::vector<std::unique_ptr<SocketClient>> clients;
    for (int count = 0; count < 20; ++count) {
      clients.push_back(std::make_unique<SocketClient>(server_->port()));
      clients.back()->upgrade("/ws/profiling");
    }
    EXPECT_EQ(server_->watchers(), 20U);
  }
  while (server_->watchers() > 0) {
    publish(1);
    std::this_thread::yield();
  }
  EXPECT_EQ(server_->dropped_watchers(), 0U);
}

TEST(HttpServer, AnAddressThatIsTakenOrForeignIsAnError) {
  EventHub hub;
  auto first = HttpServer::open({.port = 0}, echo, hub);
  ASSERT_TRUE(first);
  const auto second = HttpServer::open({.port = (*first)->port()}, echo, hub);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::busy);
  const auto nowhere = HttpServer::open({.host = "not an address", .token = "t"}, echo, hub);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::invalid_argument);
}

TEST(HttpServer, TheNetworkIsNotLetInWithoutAToken) {
  EventHub hub;
  const auto open = HttpServer::open({.host = "0.0.0.0", .port = 0}, echo, hub);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, ErrorCode::permission_denied);
  EXPECT_THAT(open.error().hint, HasSubstr("--token"));
}

}  // namespace
}  // namespace enprof
