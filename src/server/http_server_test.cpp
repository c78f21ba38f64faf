#include "server/http_server.hpp"

#include "base/utf8.hpp"
#include "support/socket_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using testing::SocketClient;
using ::testing::StartsWith;

/// So many pieces of so many bytes; one that fails has no last piece.
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

std::size_t number(const HttpRequest& request, const char* name) {
  return std::stoul(std::string(request.parameter(name)));
}

/// What chunks hold; `is_whole` becomes whether the last one has come.
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

std::atomic<bool> may_go_on{false};
std::atomic<int> waiting{0};

HttpResponse echo(const HttpRequest& request) {
  if (request.path == "/wait") {
    ++waiting;
    may_go_on.wait(false);
  }
  if (request.path == "/throw") {
    throw std::runtime_error("on purpose");
  }
  if (request.path == "/stream") {
    HttpResponse response{.content_type = "text/csv"};
    response.stream = std::make_unique<Pieces>(number(request, "pieces"), number(request, "bytes"),
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
    auto opened = HttpServer::open({.port = 0, .token = token, .limits = limits}, echo, hub_);
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

  EventHub hub_{{.events = 1000, .bytes = 6U << 20U}};
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

TEST_F(HttpServerTest, AnAnswerThatFailsAtItsBeginIsAnErrorAndLaterAnEndThatIsMissing) {
  start();
  SocketClient client(server_->port());
  const std::string answer = client.get("/stream?pieces=3&bytes=10&fails=1");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(answer, HasSubstr("was deleted while it was read"));
  client.send(request("/stream?pieces=30&bytes=10000&fails=1"));
  EXPECT_THAT(client.head(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(client.rest(), ::testing::Not(HasSubstr("\r\n0\r\n")));
  while (Pieces::alive > 0) {
    std::this_thread::yield();
  }
}

TEST_F(HttpServerTest, AClientThatGoesAwayAmidAnAnswerLeavesNothingBehind) {
  start();
  Pieces::made = 0;
  {
    SocketClient slow(server_->port());
    slow.take_little();
    slow.send(request("/stream?pieces=4000&bytes=40000"));
    EXPECT_THAT(slow.head(), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(Pieces::alive, 1);
  }
  while (Pieces::alive > 0) {
    std::this_thread::yield();
  }
  EXPECT_LT(Pieces::made, 1000U) << "no more is made than the socket takes";
}

TEST_F(HttpServerTest, AClientThatTakesNothingIsDroppedAfterAWhile) {
  start({.idle = std::chrono::seconds{1}});
  SocketClient slow(server_->port());
  slow.take_little();
  slow.send(request("/stream?pieces=4000&bytes=40000"));
  EXPECT_THAT(slow.head(), StartsWith("HTTP/1.1 200"));
  while (Pieces::alive > 0) {  // else the test never ends
    std::this_thread::yield();
  }
}

TEST_F(HttpServerTest, LargeAnswersBeyondTheLimitAreRefusedAndOthersAreNot) {
  start({.large_answers = 3});
  std::vector<std::unique_ptr<SocketClient>> readers;
  for (int count = 0; count < 3; ++count) {
    readers.push_back(std::make_unique<SocketClient>(server_->port()));
    readers.back()->take_little();
    readers.back()->send(request("/stream?pieces=4000&bytes=40000"));
    EXPECT_THAT(readers.back()->head(), StartsWith("HTTP/1.1 200"));
  }
  SocketClient fourth(server_->port());
  const std::string answer = fourth.get("/stream?pieces=4000&bytes=40000");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 2\r\n"));
  EXPECT_THAT(answer, HasSubstr("3 large answers are on their way already"));
  EXPECT_THAT(fourth.get("/stream?pieces=1&bytes=5"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(fourth.get("/healthz"), StartsWith("HTTP/1.1 200"));
  readers.pop_back();
  std::string head = "HTTP/1.1 503";
  while (head.starts_with("HTTP/1.1 503")) {  // once the server has seen it go
    SocketClient next(server_->port());
    next.take_little();
    next.send(request("/stream?pieces=4000&bytes=40000"));
    head = next.head();
  }
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, LargeAnswersHaveSoManyBytesTogether) {
  start({.large_answer_bytes = 1'000'000});
  SocketClient first(server_->port());
  first.take_little();
  first.send(request("/stream?pieces=2&bytes=30000000"));  // pieces far too large
  EXPECT_THAT(first.head(), StartsWith("HTTP/1.1 200"));
  SocketClient second(server_->port());
  EXPECT_THAT(second.get("/stream?pieces=3&bytes=50000"), StartsWith("HTTP/1.1 503"));
}

TEST_F(HttpServerTest, HealthIsToldWhileAllWorkersAreBusy) {
  start();
  std::vector<std::unique_ptr<SocketClient>> busy;
  for (int count = 0; count < 8; ++count) {
    busy.push_back(std::make_unique<SocketClient>(server_->port()));
    busy.back()->send(request("/wait"));
  }
  while (waiting < 2) {
    std::this_thread::yield();
  }
  for (const char* path : {"/healthz", "/api/health", "/metrics"}) {
    SocketClient client(server_->port());
    EXPECT_THAT(client.get(path), StartsWith("HTTP/1.1 200")) << path;
  }
  SocketClient head(server_->port());
  head.send(request("/healthz", "HEAD"));
  EXPECT_THAT(head.head(), StartsWith("HTTP/1.1 200"));
  may_go_on = true;
  may_go_on.notify_all();
  for (const auto& client : busy) {
    EXPECT_THAT(client->answer(), StartsWith("HTTP/1.1 200"));
  }
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
  // Who may not, or sends too much, is told so before the body comes.
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

TEST_F(HttpServerTest, AWatcherOfAServerBeforeIsToldAtOnceAndGetsAllThatIsKept) {
  start();
  SocketClient before(server_->port());
  before.upgrade("/ws/profiling?since=7");  // beyond the last: nothing has happened yet
  const auto frame = before.frame();
  const auto gap = nlohmann::json::parse(frame.payload)[0];
  EXPECT_EQ(gap["type"], "gap");
  EXPECT_EQ(gap["data"]["restarted"], true);
  publish(2);
  EXPECT_EQ(numbers_to(before, 2), (std::vector<int>{1, 2}));
  SocketClient now(server_->port());
  EXPECT_THAT(now.upgrade("/ws/profiling"), HasSubstr("\r\nEnprof-Seq: 2\r\n"));
}

TEST_F(HttpServerTest, ASubscriptionNarrowsAndAWrongOneEnds) {
  start();
  SocketClient client(server_->port());
  client.upgrade("/ws/profiling?since=0");
  ASSERT_TRUE(client.say(R"({"subscribe":{"types":["error"]}})"));
  while (server_->subscribers("error") == 0) {
    std::this_thread::yield();  // until the subscription holds
  }
  publish(1);
  publish(1, "error");
  EXPECT_EQ(numbers_to(client, 2), (std::vector<int>{2}));
  ASSERT_TRUE(client.say("nonsense"));
  const auto end = client.frame();
  EXPECT_EQ(end.opcode, 8);
  EXPECT_THAT(end.payload, HasSubstr("not a subscription"));
  SocketClient mistyped(server_->port());
  mistyped.upgrade("/ws/profiling");
  ASSERT_TRUE(mistyped.say(R"({"subscribe":{"types":["eror"]}})"));
  EXPECT_THAT(mistyped.frame().payload, HasSubstr("Did you mean 'error'?"));
  // A reason that is cut does not end in the middle of a character.
  SocketClient long_name(server_->port());
  long_name.upgrade("/ws/profiling");
  std::string name;
  for (int count = 0; count < 60; ++count) {
    name += "\xE2\x82\xAC";
  }
  ASSERT_TRUE(long_name.say(R"({"subscribe":{"types":[")" + name + R"("]}})"));
  const auto cut = long_name.frame();
  EXPECT_EQ(cut.opcode, 8);
  EXPECT_FALSE(first_invalid_utf8(std::string_view(cut.payload).substr(2)));
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
  SocketClient mistyped(server_->port());
  const std::string refusal = mistyped.upgrade("/ws/profiling?sinc=3");
  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(refusal, HasSubstr("Did you mean 'since'?"));
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
  EXPECT_GT(server_->dropped_events(), 0U);
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
    EXPECT_EQ(server_->dropped_events(), 0U);
  }
  while (server_->watchers() > 0) {
    publish(1);
    std::this_thread::yield();
  }
  EXPECT_EQ(server_->dropped_watchers(), 0U);
}

TEST_F(HttpServerTest, TwoHundredWatchersHearEverything) {
  start();
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int count = 0; count < 200; ++count) {
    clients.push_back(std::make_unique<SocketClient>(server_->port()));
    ASSERT_THAT(clients.back()->upgrade("/ws/profiling?since=0"), StartsWith("HTTP/1.1 101"));
  }
  publish(100);
  std::vector<int> all;
  for (int number = 1; number <= 100; ++number) {
    all.push_back(number);
  }
  for (const auto& client : clients) {
    EXPECT_EQ(numbers_to(*client, 100), all);
  }
}

TEST_F(HttpServerTest, AWatcherThatIsBehindGetsMergedPowerSamples) {
  start({.events_per_frame = 50});
  publish(500, "power_sample");
  publish(1);
  SocketClient client(server_->port());
  client.upgrade("/ws/profiling?since=0");
  const std::vector<int> numbers = numbers_to(client, 501);
  EXPECT_LT(numbers.size(), 200U);
  EXPECT_EQ(numbers.front(), 50);  // the last of those that would have been in the frame
  EXPECT_THAT(numbers, ::testing::Contains(500));
}

TEST_F(HttpServerTest, AWatcherThatFallsBehindAgainAndAgainIsDroppedWithAReason) {
  start();
  SocketClient slow(server_->port());
  slow.take_little(65'536);
  slow.upgrade("/ws/profiling");
  const std::string large = '"' + std::string(100'000, 'x') + '"';
  SocketClient::Frame frame;
  bool told_of_gap = false;
  std::uint64_t received = 0;
  while (frame.opcode != 8) {
    for (int count = 0; count < 100; ++count) {  // more than the hub keeps
      hub_.publish("run", "token_complete", Nanoseconds{0}, large);
    }
    frame = slow.frame();
    ASSERT_NE(frame.opcode, -1);
    if (frame.opcode == 1) {
      const auto events = nlohmann::json::parse(frame.payload);
      const bool has_gap = events.front()["type"] == "gap";
      told_of_gap = told_of_gap || has_gap;
      received += events.size() - (has_gap ? 1U : 0U);
    }
  }
  EXPECT_THAT(frame.payload, HasSubstr("too slow: events were forgotten"));
  EXPECT_TRUE(told_of_gap);  // before
  EXPECT_EQ(server_->dropped_watchers(), 1U);
  EXPECT_GE(server_->dropped_events(), 100U);
  EXPECT_LE(server_->dropped_events() + received, hub_.last());  // none twice
}

TEST_F(HttpServerTest, WhatWasForgottenBeforeAWatcherCameIsNotLostToIt) {
  start();
  publish(1500);  // 500 more than the hub keeps
  SocketClient client(server_->port());
  client.upgrade("/ws/profiling?since=0");
  EXPECT_EQ(numbers_to(client, 1500).front(), 500);  // the gap
  EXPECT_EQ(server_->dropped_events(), 0U);
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
  std::string again;
  while (!again.starts_with("HTTP/1.1 200")) {  // once the server has seen it go
    SocketClient next(server_->port());
    again = next.get("/");
  }
}

TEST_F(HttpServerTest, WhoAsksTooOftenIsToldHowLongToWait) {
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
}

TEST_F(HttpServerTest, HalfARequestIsNotWaitedForForLong) {
  start({.idle = std::chrono::seconds{1}});
  SocketClient slow(server_->port());
  slow.send("GET / HTTP/1.1\r\nHost: loc");
  EXPECT_TRUE(slow.closed());
  SocketClient fine(server_->port());
  EXPECT_THAT(fine.get("/"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, MalformedFramesEndTheirWatcherAlone) {
  start({.message_bytes = 1000});
  SocketClient witness(server_->port());
  witness.upgrade("/ws/profiling?since=0");
  const std::string mask(4, '\0');
  const auto bytes = [](std::initializer_list<int> values) {
    std::string result;
    for (const int value : values) {
      result += static_cast<char>(value);
    }
    return result;
  };
  struct Case {
    const char* what;
    std::string frame;
  };
  for (const auto& [what, frame] :
       {Case{"without a mask", bytes({0x81, 2}) + "{}"},
        Case{"an opcode that is reserved", bytes({0x83, 0x80}) + mask},
        Case{"bits that are reserved", bytes({0xF1, 0x80}) + mask},
        Case{"a continuation of nothing", bytes({0x80, 0x80}) + mask},
        Case{"a ping in pieces", bytes({0x09, 0x80}) + mask},
        Case{"a ping that is too long", bytes({0x89, 0xFE, 1, 0}) + mask + std::string(256, 'x')},
        Case{"text that is not UTF-8", bytes({0x81, 0x82}) + mask + "\xC3\x28"},
        Case{"a length beyond all bounds",
             bytes({0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}) + mask},
        Case{"a message that is too large",
             bytes({0x81, 0xFE, 4, 0}) + mask + std::string(1024, ' ')},
        Case{"a close with half a code", bytes({0x88, 0x81}) + mask + "x"}}) {
    SCOPED_TRACE(what);
    SocketClient client(server_->port());
    EXPECT_THAT(client.upgrade("/ws/profiling"), StartsWith("HTTP/1.1 101"));
    client.send(frame);
    const auto end = client.frame();
    EXPECT_TRUE(end.opcode == 8 || end.opcode == -1);
    EXPECT_TRUE(client.closed());
  }
  publish(3);
  EXPECT_EQ(numbers_to(witness, 3), (std::vector<int>{1, 2, 3}));
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
