#include "base/utf8.hpp"
#include "server/http_server.hpp"
#include "support/http_server_fixture.hpp"
#include "support/socket_client.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using testing::HttpServerTest;
using testing::SocketClient;
using ::testing::StartsWith;

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

TEST_F(HttpServerTest, AWatcherGetsEvents) {
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

TEST_F(HttpServerTest, AWatcherOfThePreviousServerGetsAGapAndAllKeptEvents) {
  start();
  SocketClient before(server_->port());
  before.upgrade("/ws/profiling?since=7");  // beyond the last event: this server is a new one
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
  testing::wait_until("the subscription holds",
                      [this] { return server_->subscribers("error") == 1; });
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
  // A truncated reason does not end within a character.
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

TEST_F(HttpServerTest, SubscribersOfATypeAreCounted) {
  start();
  const auto count_becomes = [&](std::size_t count) {
    testing::wait_until("the number of subscribers is " + std::to_string(count),
                        [&] { return server_->subscribers("error") == count; });
  };
  {
    SocketClient first(server_->port());
    first.upgrade("/ws/profiling");
    EXPECT_EQ(server_->subscribers("error"), 0U);  // a subscription to everything names no type
    SocketClient second(server_->port());
    second.upgrade("/ws/profiling");
    first.say(R"({"subscribe":{"types":["error","warning"]}})");
    count_becomes(1);
    second.say(R"({"subscribe":{"types":["error"]}})");
    count_becomes(2);
    first.say(R"({"subscribe":{"types":["warning"]}})");
    count_becomes(1);
  }
  count_becomes(0);  // clients that left are no longer subscribed
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

TEST_F(HttpServerTest, AWatcherThatReadsNothingIsDroppedAndTheOthersDoNotNotice) {
  start({.stalled = std::chrono::seconds{1}});
  SocketClient slow(server_->port());
  slow.shrink_receive_buffer();
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

TEST_F(HttpServerTest, StoppingSendsTheRemainingEvents) {
  start();
  SocketClient client(server_->port());
  client.upgrade("/ws/profiling?since=0");
  publish(1);
  EXPECT_EQ(numbers_to(client, 1), (std::vector<int>{1}));
  publish(2);  // soon after a frame: these events wait for the next frame
  server_->stop();
  EXPECT_EQ(numbers_to(client, 3), (std::vector<int>{2, 3}));
  EXPECT_EQ(client.frame().opcode, 8);
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
  testing::wait_until("all watchers are forgotten", [this] {
    publish(1);
    return server_->watchers() == 0;
  });
  EXPECT_EQ(server_->dropped_watchers(), 0U);
}

TEST_F(HttpServerTest, TwoHundredWatchersGetEverything) {
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

TEST_F(HttpServerTest, AWatcherThatFallsBehindRepeatedlyIsDroppedWithAReason) {
  start();
  SocketClient slow(server_->port());
  slow.shrink_receive_buffer(65'536);
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
      // Parsing it would take longer than the server waits, where the machine is busy.
      const bool has_gap = frame.payload.contains(R"("type":"gap")");
      told_of_gap = told_of_gap || has_gap;
      received += occurrences(frame.payload, R"("seq":)") - (has_gap ? 1U : 0U);
    }
  }
  EXPECT_THAT(frame.payload, HasSubstr("too slow: events were dropped"));
  EXPECT_TRUE(told_of_gap);  // before
  EXPECT_EQ(server_->dropped_watchers(), 1U);
  EXPECT_GE(server_->dropped_events(), 100U);
  EXPECT_LE(server_->dropped_events() + received, hub_.last());  // no event counts as both
}

TEST_F(HttpServerTest, EventsDroppedBeforeAWatcherCameDoNotCountAsLost) {
  start();
  publish(1500);  // 500 more than the hub keeps
  SocketClient client(server_->port());
  client.upgrade("/ws/profiling?since=0");
  EXPECT_EQ(numbers_to(client, 1500).front(), 500);  // the gap precedes it
  EXPECT_EQ(server_->dropped_events(), 0U);
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

}  // namespace
}  // namespace enprof
