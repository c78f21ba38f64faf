#include "server/live_client.hpp"

#include "server/http_server.hpp"
#include "server/problem.hpp"
#include "support/stranger.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Stranger;
using namespace std::chrono_literals;

class LiveClientTest : public ::testing::Test {
 protected:
  ~LiveClientTest() override { stop(); }

  void start(const std::string& token = {}, HttpLimits limits = {}) {
    auto opened = HttpServer::open(
        {.port = options_.url.port == 8000 ? std::uint16_t{0} : options_.url.port,
         .token = token,
         .limits = limits},
        [](const HttpRequest& request) {
          return request.path == "/api/health"
                     ? HttpResponse{.body = "{}"}
                     : problem(404, {ErrorCode::not_found, "There is nothing there", "Look."});
        },
        hub_);
    ASSERT_TRUE(opened) << opened.error().message;
    server_ = std::move(*opened);
    options_.url.port = server_->port();
    thread_ = std::thread([this] { server_->run(); });
  }
  void stop() {
    if (thread_.joinable()) {
      server_->stop();
      thread_.join();
    }
    server_.reset();
  }
  [[nodiscard]] std::unique_ptr<LiveClient> connect() {
    auto client = LiveClient::connect(options_, stop_.get_token());
    EXPECT_TRUE(client) << client.error().message;
    return client ? std::move(*client) : nullptr;
  }
  [[nodiscard]] Error refusal() {
    const auto client = LiveClient::connect(options_, stop_.get_token());
    EXPECT_FALSE(client);
    return client ? Error{} : client.error();
  }
  [[nodiscard]] Error refusal_of_get(std::string_view path) {
    const auto answer = LiveClient::get(options_, path, stop_.get_token());
    EXPECT_FALSE(answer);
    return answer ? Error{} : answer.error();
  }
  static std::vector<int> numbers_of(LiveClient& client) {
    std::vector<int> result;
    const auto frame = client.next(testing::kLongWait);
    EXPECT_TRUE(frame && *frame);
    for (const auto& event : nlohmann::json::parse(frame && *frame ? **frame : "[]")) {
      result.push_back(event["seq"].get<int>());
    }
    return result;
  }
  void publish(const std::string& type = "token_complete") {
    hub_.publish("run", type, Nanoseconds{0}, "{}");
  }

  EventHub hub_;
  LiveClient::Options options_;
  std::stop_source stop_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(LiveClientTest, ReceivesEventsAndWaitsNoLongerThanAllowed) {
  start();
  options_.since = 0;
  const auto client = connect();
  const auto nothing = client->next(10ms);
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
  publish();
  EXPECT_THAT(numbers_of(*client), ElementsAre(1));
}

TEST_F(LiveClientTest, ResumesAfterAnEventWithTheSubscriptionOnly) {
  start();
  publish();
  publish("warning");
  publish("power_sample");
  options_.since = 1;
  const auto all = connect();
  EXPECT_THAT(numbers_of(*all), ElementsAre(2, 3));
  options_.since.reset();
  options_.subscription = R"({"subscribe":{"types":["warning"]}})";
  const auto some = connect();
  // The server may not have read the subscription yet, so other events may come first.
  while (true) {
    publish("power_sample");
    const auto frame = some->next(1s);
    ASSERT_TRUE(frame);
    if (!*frame) {
      break;
    }
  }
  publish("power_sample");
  publish("warning");
  EXPECT_THAT(numbers_of(*some), ElementsAre(static_cast<int>(hub_.last())));
}

TEST_F(LiveClientTest, ABreakBeforeTheFirstEventLosesNothing) {
  start();
  publish();
  {
    const auto client = connect();
    ASSERT_EQ(client->last_event(), 1U);
    options_.since = client->last_event();
  }
  publish();
  const auto again = connect();
  EXPECT_EQ(again->last_event(), 2U);
  EXPECT_THAT(numbers_of(*again), ElementsAre(2));
}

TEST_F(LiveClientTest, AServerThatEndsSaysSo) {
  start();
  const auto client = connect();
  stop();
  const auto frame = client->next(testing::kLongWait);
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, ErrorCode::unavailable);
  EXPECT_THAT(frame.error().message, HasSubstr("the server is stopping"));
}

TEST_F(LiveClientTest, AMissingServerIsWorthARetry) {
  start();
  stop();
  const Error error = refusal();
  EXPECT_TRUE(LiveClient::is_passing(error.code));
  EXPECT_THAT(error.message, HasSubstr("Cannot connect to http://127.0.0.1:"));
  EXPECT_THAT(error.hint, HasSubstr("enprof serve"));
  start();  // on the same port
  EXPECT_TRUE(connect());
}

TEST_F(LiveClientTest, AWrongTokenAndAMissingOneAreReported) {
  start("secret");
  EXPECT_THAT(refusal().message, HasSubstr("wants a token"));
  EXPECT_THAT(refusal_of_get("/api/health").message, HasSubstr("wants a token"));
  options_.token = "guess";
  const Error wrong = refusal();
  EXPECT_EQ(wrong.code, ErrorCode::permission_denied);
  EXPECT_THAT(wrong.message, HasSubstr("does not accept this token"));
  EXPECT_THAT(wrong.hint, HasSubstr("--token"));
  options_.token = "secret";
  EXPECT_TRUE(connect());
  EXPECT_EQ(LiveClient::get(options_, "/api/health", stop_.get_token()).value_or(""), "{}");
}

TEST_F(LiveClientTest, TheServersOwnReasonsArePassedOn) {
  start({}, {.watchers = 1});
  const auto first = connect();
  const Error second = refusal();
  EXPECT_EQ(second.code, ErrorCode::busy);
  EXPECT_THAT(second.message, HasSubstr("The limit of 1 watcher is reached"));
  const Error gone = refusal_of_get("/api/profiling/run/x");
  EXPECT_EQ(gone.code, ErrorCode::not_found);
  EXPECT_THAT(gone.message, HasSubstr("There is nothing there"));
  EXPECT_EQ(gone.hint, "Look.");
  options_.url.base = "/elsewhere";
  EXPECT_THAT(refusal().message, HasSubstr("There is no WebSocket at /elsewhere/ws/profiling"));
}

TEST_F(LiveClientTest, AnotherProgramIsRecognized) {
  const std::vector<std::pair<std::string, ErrorCode>> answers{
      {"HTTP/1.1 404 Not Found\r\nServer: other\r\nContent-Length: 0\r\n\r\n",
       ErrorCode::not_found},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ErrorCode::malformed},
      {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", ErrorCode::permission_denied},
      {"HTTP/1.1 301 Moved\r\nLocation: https://h/\r\nContent-Length: 0\r\n\r\n",
       ErrorCode::malformed},
      {"HTTP/1.1 429 Too Many Requests\r\nServer: enprof\r\nContent-Length: 34\r\n\r\n"
       R"({"message":"slowly","hint":"Wait"})",
       ErrorCode::busy},
      {"\x15\x03\x01\x00\x02\x02\x46 a TLS alert\r\n\r\n", ErrorCode::malformed},
      {"SSH-2.0-OpenSSH_9.2\r\n", ErrorCode::malformed},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
       "Sec-WebSocket-Accept: wrong\r\n\r\n",
       ErrorCode::malformed},
  };
  for (const auto& [answer, code] : answers) {
    const Stranger stranger(answer);
    options_.url.port = stranger.port();
    const Error error = refusal();
    EXPECT_EQ(error.code, code) << answer << "\n" << error.message;
    EXPECT_THAT(error.message, HasSubstr(options_.url.text()));
    EXPECT_NE(error.hint, "") << answer;
  }
}

TEST_F(LiveClientTest, AServerThatHangsUpOrNeverAnswersIsUnavailable) {
  options_.patience = 200ms;
  const Stranger silent("");
  options_.url.port = silent.port();
  const Error never = refusal();
  EXPECT_EQ(never.code, ErrorCode::unavailable);
  EXPECT_THAT(never.message, HasSubstr("did not answer within 0.2 s"));
  EXPECT_EQ(refusal_of_get("/api/health").code, ErrorCode::unavailable);
}

TEST_F(LiveClientTest, IsGivenUpAtOnce) {
  const Stranger silent("");
  options_.url.port = silent.port();
  std::thread later([&] {
    testing::wait_until("the server is asked", [&] { return silent.has_heard(); });
    stop_.request_stop();
  });
  EXPECT_EQ(refusal().code, ErrorCode::cancelled);
  later.join();
}

TEST_F(LiveClientTest, AsksForTheHostAndTriesEachOfItsAddresses) {
  start();
  options_.url.host = "localhost";
  std::string asked;
  options_.lookup = [&asked](const std::string& host) {
    asked = host;
    return Result<std::vector<std::string>>(std::vector<std::string>{"::1", "127.0.0.1"});
  };
  EXPECT_TRUE(connect());
  EXPECT_EQ(asked, "localhost");
  options_.lookup = [](const std::string&) {
    return Result<std::vector<std::string>>(fail(ErrorCode::unavailable, "no such host"));
  };
  const Error error = refusal();
  EXPECT_TRUE(LiveClient::is_passing(error.code));
  EXPECT_THAT(error.message, HasSubstr("Cannot connect to http://localhost:"));
  EXPECT_THAT(error.message, HasSubstr("no such host"));
}

TEST_F(LiveClientTest, ANameServerThatHangsIsGivenUpAtOnce) {
  std::promise<void> over;
  const auto asked = std::make_shared<std::atomic<int>>(0);
  options_.lookup = [asked, hung = over.get_future().share()](const std::string&) {
    ++*asked;
    hung.wait();
    return Result<std::vector<std::string>>(std::vector<std::string>{});
  };
  options_.patience = 600s;
  for (const bool is_get : {false, true}) {
    stop_ = std::stop_source{};
    std::thread later([this, asked, before = asked->load()] {
      testing::wait_until("the name server is asked", [&] { return *asked > before; });
      stop_.request_stop();
    });
    EXPECT_EQ((is_get ? refusal_of_get("/") : refusal()).code, ErrorCode::cancelled);
    later.join();
  }
  over.set_value();
}

TEST(ReconnectDelay, GrowsToABoundAndLeavesHalfToLuck) {
  EXPECT_EQ(reconnect_delay(1, 1.0), 500ms);
  EXPECT_EQ(reconnect_delay(1, 0.0), 250ms);
  EXPECT_EQ(reconnect_delay(2, 1.0), 1000ms);
  EXPECT_EQ(reconnect_delay(6, 1.0), 15s);
  EXPECT_EQ(reconnect_delay(1'000'000, 0.0), 7500ms);
  EXPECT_EQ(reconnect_delay(0, 2.0), 500ms);
}

}  // namespace
}  // namespace enprof
