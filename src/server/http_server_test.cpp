#include "server/http_server.hpp"

#include "support/http_server_fixture.hpp"
#include "support/socket_client.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace enprof {
namespace {

using testing::echo;
using ::testing::HasSubstr;
using testing::HttpServerTest;
using testing::SocketClient;
using ::testing::StartsWith;

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

TEST_F(HttpServerTest, OneThatWasStoppedBeforeItRunsServesNothing) {
  auto opened = HttpServer::open({.port = 0}, echo, hub_);
  ASSERT_TRUE(opened) << opened.error().message;
  const std::uint16_t port = (*opened)->port();
  SocketClient early(port);
  (*opened)->stop();
  (*opened)->run();
  EXPECT_TRUE(early.closed());
  EXPECT_THROW(SocketClient{port}, std::runtime_error);
}

TEST_F(HttpServerTest, MayBeStoppedWhileRunBegins) {
  for (int round = 0; round < 50; ++round) {
    start();
    server_->stop();
    thread_.join();
  }
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

TEST_F(HttpServerTest, AWholeUrlIsATargetToo) {
  start();
  const std::string here = "localhost:" + std::to_string(server_->port());
  SocketClient client(server_->port());
  client.send("GET http://" + here + "/a?q=1 HTTP/1.1\r\nHost: elsewhere\r\n\r\n");
  EXPECT_THAT(client.answer(), HasSubstr("\r\n\r\nGET /a 1 "));
  client.send("GET http://evil.example/a HTTP/1.1\r\nHost: " + here + "\r\n\r\n");
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 403"));
}

TEST_F(HttpServerTest, ASecondHostHeaderIsNotTheOneThatCounts) {
  start();
  SocketClient client(server_->port());
  EXPECT_THAT(client.get("/a", "Host: evil.example\r\n"), StartsWith("HTTP/1.1 403"));
}

TEST_F(HttpServerTest, AClientThatWaitsToSendItsBodyIsInvited) {
  start({.body_bytes = 100});
  const auto head = [&](const std::string& host, std::size_t length) {
    return "POST /p HTTP/1.1\r\nHost: " + host + ":" + std::to_string(server_->port()) +
           "\r\nExpect: 100-Continue\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  };
  SocketClient client(server_->port());
  for (int time = 0; time < 2; ++time) {
    client.send(head("localhost", 5));
    EXPECT_EQ(client.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    EXPECT_THAT(client.answer(), HasSubstr("POST /p  hello"));
  }
  // A client that is not allowed, or sends too much, is refused before it sends the body.
  SocketClient stranger(server_->port());
  stranger.send(head("evil.example", 5));
  EXPECT_THAT(stranger.answer(), StartsWith("HTTP/1.1 403"));
  SocketClient large(server_->port());
  large.send(head("localhost", 101));
  EXPECT_THAT(large.answer(), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, TheTokenOpensByEveryNameAndForPagesBehindAProxy) {
  start({}, "s3cret");
  SocketClient client(server_->port());
  const auto ask = [&](const std::string& headers) {
    client.send("GET /api/models HTTP/1.1\r\n" + headers + "\r\n");
    return client.answer();
  };
  EXPECT_THAT(ask("Host: box.lan\r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask("Host: box.lan\r\nAuthorization: bearer s3cret\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("Host: box.lan\r\nOrigin: https://box.lan\r\nAuthorization: Bearer s3cret\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("Host: box.lan\r\nOrigin: https://evil.example\r\n"
                  "Authorization: Bearer s3cret\r\n"),
              StartsWith("HTTP/1.1 403"));
  const auto upgrade = [&](const std::string& host, const std::string& token) {
    SocketClient watcher(server_->port());
    watcher.send(
        "GET /ws/profiling?token=" + token + " HTTP/1.1\r\nHost: " + host +
        "\r\nOrigin: https://box.lan\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    return watcher.answer();
  };
  EXPECT_THAT(upgrade("box.lan", "s3cret"), StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(upgrade("box.lan", "wrong"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(upgrade("other.lan", "s3cret"), StartsWith("HTTP/1.1 403"));
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

TEST_F(HttpServerTest, ConnectionsBeyondTheLimitAreTurnedAwayAndTheOthersGoOn) {
  start({.connections = 3});
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int count = 0; count < 3; ++count) {
    clients.push_back(std::make_unique<SocketClient>(server_->port()));
    EXPECT_THAT(clients.back()->get("/"), StartsWith("HTTP/1.1 200"));
  }
  SocketClient fourth(server_->port());
  const std::string answer = fourth.answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 1"));
  EXPECT_TRUE(fourth.closed());
  EXPECT_THAT(clients.front()->get("/"), StartsWith("HTTP/1.1 200"));
  clients.pop_back();
  testing::wait_until("the server has seen it go", [this] {
    SocketClient next(server_->port());
    return next.get("/").starts_with("HTTP/1.1 200");
  });
}

TEST_F(HttpServerTest, ATooFrequentClientLearnsHowLongToWait) {
  start({.requests_per_second = 0.5, .request_burst = 5.0});
  SocketClient client(server_->port());
  for (int count = 0; count < 5; ++count) {
    EXPECT_THAT(client.get("/"), StartsWith("HTTP/1.1 200"));
  }
  const std::string answer = client.get("/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 2\r\n"));
  EXPECT_THAT(answer, HasSubstr("\"code\":\"busy\""));
  SocketClient other(server_->port());  // the address counts, not the connection
  EXPECT_THAT(other.upgrade("/ws/profiling"), StartsWith("HTTP/1.1 429"));
  clock_.advance(std::chrono::seconds{2});
  EXPECT_THAT(client.get("/"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, HalfARequestIsNotWaitedForForLong) {
  start({.idle = std::chrono::seconds{1}});
  SocketClient slow(server_->port());
  slow.send("GET / HTTP/1.1\r\nHost: loc");
  EXPECT_TRUE(slow.closed());
  SocketClient fine(server_->port());
  EXPECT_THAT(fine.get("/"), StartsWith("HTTP/1.1 200"));
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

/// How many of its descriptors a program that is started now would inherit.
int inherited_sockets() {
  int count = 0;
  for (int descriptor = 0; descriptor < 1024; ++descriptor) {
    int type = 0;
    socklen_t length = sizeof type;
    const int flags = ::fcntl(descriptor, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0 &&
        ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) == 0) {
      ++count;
    }
  }
  return count;
}

TEST_F(HttpServerTest, AProgramThatIsStartedInheritsNoneOfItsSockets) {
  const int before = inherited_sockets();
  start();
  EXPECT_EQ(inherited_sockets(), before);
  SocketClient client(server_->port());
  EXPECT_THAT(client.get("/a"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(inherited_sockets(), before + 1) << "the client's own is one of this process";
}

}  // namespace
}  // namespace enprof
