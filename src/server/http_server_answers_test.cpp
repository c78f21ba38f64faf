#include "server/http_server.hpp"
#include "support/http_server_fixture.hpp"
#include "support/socket_client.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

using testing::Gate;
using ::testing::HasSubstr;
using testing::HttpServerTest;
using testing::Pieces;
using testing::SocketClient;
using ::testing::StartsWith;

/// The content of chunks; sets `is_whole` to whether the last chunk has come.
std::string unchunked(std::string_view body, bool& is_whole) {
  std::string result;
  is_whole = false;
  while (!is_whole && !body.empty()) {
    const std::size_t count =
        std::stoul(std::string(body.substr(0, body.find("\r\n"))), nullptr, 16);
    body.remove_prefix(body.find("\r\n") + 2);
    result += body.substr(0, count);
    body.remove_prefix(std::min(body.size(), count + 2));
    is_whole = count == 0;
  }
  return result;
}

std::string expected_pieces(std::size_t pieces, std::size_t bytes) {
  std::string result;
  for (; pieces > 0; --pieces) {
    result.append(bytes, static_cast<char>('a' + pieces % 26));
  }
  return result;
}

TEST_F(HttpServerTest, ALargeAnswerIsSentInChunksAndTheConnectionGoesOn) {
  start();
  SocketClient client(server_->port());
  client.send(request("/stream?pieces=100&bytes=40000"));
  const std::string head = client.head();
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(head, HasSubstr("Content-Type: text/csv"));
  EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_THAT(head, ::testing::Not(HasSubstr("Content-Length")));
  bool is_whole = false;
  const std::string body = unchunked(client.until("\r\n0\r\n\r\n"), is_whole);
  EXPECT_TRUE(is_whole);
  EXPECT_TRUE(body == expected_pieces(100, 40'000));
  client.send(request("/stream?pieces=100&bytes=40000", "HEAD"));
  EXPECT_THAT(client.head(), HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_THAT(client.get("/after"), HasSubstr("GET /after"));
  EXPECT_EQ(Pieces::alive, 0);
}

TEST_F(HttpServerTest, ASmallAnswerHasItsLengthHoweverItIsMade) {
  start();
  SocketClient client(server_->port());
  const std::string answer = client.get("/stream?pieces=100&bytes=5");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 500\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n" + expected_pieces(100, 5)));
  client.send(request("/stream?pieces=100&bytes=5", "HEAD"));
  EXPECT_THAT(client.head(), HasSubstr("Content-Length: 500\r\n"));
  EXPECT_THAT(client.get("/after"), HasSubstr("GET /after"));
}

TEST_F(HttpServerTest, AClientThatKnowsNoChunksIsSentAllUntilTheConnectionEnds) {
  start();
  SocketClient client(server_->port());
  client.send("GET /stream?pieces=100&bytes=40000 HTTP/1.0\r\nHost: localhost:" +
              std::to_string(server_->port()) + "\r\n\r\n");
  const std::string head = client.head();
  EXPECT_THAT(head, ::testing::Not(HasSubstr("chunked")));
  EXPECT_TRUE(client.rest() == expected_pieces(100, 40'000));
}

TEST_F(HttpServerTest, AnAnswerThatFailsFirstIsAnErrorAndLaterIsCutOff) {
  start();
  SocketClient client(server_->port());
  const std::string answer = client.get("/stream?pieces=3&bytes=10&fails=1");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(answer, HasSubstr("was deleted while it was read"));
  client.send(request("/stream?pieces=30&bytes=10000&fails=1"));
  EXPECT_THAT(client.head(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(client.rest(), ::testing::Not(HasSubstr("\r\n0\r\n")));
  wait_until_no_answer_is_made();
}

TEST_F(HttpServerTest, AClientThatLeavesDuringAnAnswerLeavesNothingBehind) {
  start();
  Pieces::made = 0;
  {
    SocketClient slow(server_->port());
    slow.shrink_receive_buffer();
    slow.send(request("/stream?pieces=4000&bytes=40000"));
    EXPECT_THAT(slow.head(), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(Pieces::alive, 1);
  }
  wait_until_no_answer_is_made();
  EXPECT_LT(Pieces::made, 1000U) << "only as much is made as the socket takes";
}

TEST_F(HttpServerTest, AClientThatReadsNothingIsDroppedAfterAWhile) {
  start({.idle = std::chrono::seconds{1}});
  SocketClient slow(server_->port());
  slow.shrink_receive_buffer();
  slow.send(request("/stream?pieces=4000&bytes=40000"));
  EXPECT_THAT(slow.head(), StartsWith("HTTP/1.1 200"));
  wait_until_no_answer_is_made();  // in real time, as all time of sockets is
}

TEST_F(HttpServerTest, LargeAnswersBeyondTheLimitAreRefusedAndOthersAreNot) {
  start({.large_answers = 6});  // one address gets half of them
  std::vector<std::unique_ptr<SocketClient>> readers;
  for (int count = 0; count < 3; ++count) {
    readers.push_back(std::make_unique<SocketClient>(server_->port()));
    readers.back()->shrink_receive_buffer();
    readers.back()->send(request("/stream?pieces=4000&bytes=40000"));
    EXPECT_THAT(readers.back()->head(), StartsWith("HTTP/1.1 200"));
  }
  SocketClient fourth(server_->port());
  const std::string answer = fourth.get("/stream?pieces=4000&bytes=40000");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 2\r\n"));
  EXPECT_THAT(answer, HasSubstr("Too many large answers are being sent: 3, of which 3 to this"));
  EXPECT_THAT(fourth.get("/stream?pieces=1&bytes=5"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(fourth.get("/healthz"), StartsWith("HTTP/1.1 200"));
  readers.pop_back();
  std::string head = "HTTP/1.1 503";
  while (head.starts_with("HTTP/1.1 503")) {  // until the server has noticed that it is gone
    SocketClient next(server_->port());
    next.shrink_receive_buffer();
    next.send(request("/stream?pieces=4000&bytes=40000"));
    head = next.head();
  }
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
}

#if defined(__linux__)  // elsewhere 127.0.0.2 is not an address of this machine

TEST_F(HttpServerTest, AnAddressThatTakesAllItCanLeavesPlacesForOthers) {
  start({.large_answers = 6});
  std::vector<std::unique_ptr<SocketClient>> readers;
  for (std::string head; head.empty() || head.starts_with("HTTP/1.1 200");) {
    readers.push_back(std::make_unique<SocketClient>(server_->port()));
    readers.back()->shrink_receive_buffer();
    readers.back()->send(request("/stream?pieces=4000&bytes=40000"));
    head = readers.back()->head();
  }
  EXPECT_EQ(readers.size(), 4U) << "the last one is refused";
  SocketClient other(server_->port(), "127.0.0.2");
  other.shrink_receive_buffer();
  other.send(request("/stream?pieces=4000&bytes=40000"));
  EXPECT_THAT(other.head(), StartsWith("HTTP/1.1 200"));
}

#endif

TEST_F(HttpServerTest, LargeAnswersHaveSoManyBytesTogether) {
  start({.large_answer_bytes = 1'000'000});
  SocketClient first(server_->port());
  first.shrink_receive_buffer();
  first.send(request("/stream?pieces=2&bytes=30000000"));  // pieces far too large
  EXPECT_THAT(first.head(), StartsWith("HTTP/1.1 200"));
  SocketClient second(server_->port());
  EXPECT_THAT(second.get("/stream?pieces=3&bytes=50000"), StartsWith("HTTP/1.1 503"));
}

TEST_F(HttpServerTest, HealthIsAnsweredWhileAllWorkersAreBusy) {
  start();
  std::vector<std::unique_ptr<SocketClient>> busy;
  for (int count = 0; count < 8; ++count) {
    busy.push_back(std::make_unique<SocketClient>(server_->port()));
    busy.back()->send(request("/wait"));
  }
  testing::wait_until("both workers wait", [] { return Gate::waiting >= 2; });
  for (const char* path : {"/healthz", "/api/health", "/metrics"}) {
    SocketClient client(server_->port());
    EXPECT_THAT(client.get(path), StartsWith("HTTP/1.1 200")) << path;
  }
  SocketClient head(server_->port());
  head.send(request("/healthz", "HEAD"));
  EXPECT_THAT(head.head(), StartsWith("HTTP/1.1 200"));
  Gate::is_open = true;
  Gate::is_open.notify_all();
  for (const auto& client : busy) {
    EXPECT_THAT(client->answer(), StartsWith("HTTP/1.1 200"));
  }
}

}  // namespace
}  // namespace enprof
