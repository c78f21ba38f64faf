#include "live/event_hub.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

std::vector<std::uint64_t> numbers(const EventHub::Batch& batch) {
  std::vector<std::uint64_t> result;
  result.reserve(batch.events.size());
  for (const auto& event : batch.events) {
    result.push_back(event->seq);
  }
  return result;
}

void publish(EventHub& hub, int count) {
  for (int index = 0; index < count; ++index) {
    hub.publish("run", "power_sample", 1ms, "{}");
  }
}

TEST(EventHub, AnEventIsAnEnvelopeWithItsNumber) {
  EventHub hub;
  EXPECT_EQ(hub.publish("0123", "token_complete", 1500us, R"({"text":"a \"b\" ☃"})"), 1U);
  const auto batch = hub.read(0, 10);
  ASSERT_EQ(batch.events.size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(batch.events.front()->json),
            nlohmann::json::parse(
                R"({"seq":1,"run_id":"0123","type":"token_complete","t_ms":1.5,
                    "data":{"text":"a \"b\" ☃"}})"));
}

TEST(EventHub, AnInvalidUtf8IdStillMakesJson) {
  EventHub hub;
  hub.publish("a\"\xff\n", "error", 0ms, "null");
  EXPECT_TRUE(nlohmann::json::accept(hub.read(0, 1).events.front()->json));
}

TEST(EventHub, AWatcherGoesOnWhereItWas) {
  EventHub hub;
  publish(hub, 5);
  const auto first = hub.read(0, 3);
  EXPECT_THAT(numbers(first), ElementsAre(1U, 2U, 3U));
  const auto second = hub.read(first.next, 3);
  EXPECT_THAT(numbers(second), ElementsAre(4U, 5U));
  EXPECT_EQ(second.missed, 0U);
  EXPECT_TRUE(hub.read(second.next, 3).events.empty());
  publish(hub, 1);
  EXPECT_THAT(numbers(hub.read(second.next, 3)), ElementsAre(6U));
}

TEST(EventHub, ALongBreakReportsHowManyEventsWereMissed) {
  EventHub hub({.events = 3, .bytes = 1'000'000});
  publish(hub, 10);
  EXPECT_EQ(hub.first(), 8U);
  const auto batch = hub.read(2, 10);
  EXPECT_EQ(batch.missed, 5U);  // 3 to 7
  EXPECT_THAT(numbers(batch), ElementsAre(8U, 9U, 10U));
  EXPECT_EQ(batch.next, 10U);
}

TEST(EventHub, NumbersBeginWithTheGivenOne) {
  EventHub hub(1000);
  EXPECT_EQ(hub.last(), 999U);
  EXPECT_FALSE(hub.read(999, 10).is_gap()) << "a watcher that connected before the first event";
  EXPECT_FALSE(hub.read(0, 10).is_gap());
  publish(hub, 2);
  for (const std::uint64_t since : {std::uint64_t{0}, std::uint64_t{999}}) {
    const auto batch = hub.read(since, 10);
    EXPECT_FALSE(batch.is_gap()) << since;
    EXPECT_THAT(numbers(batch), ElementsAre(1000U, 1001U)) << since;
  }
  EXPECT_THAT(numbers(hub.read(1000, 10)), ElementsAre(1001U));
}

TEST(EventHub, SinceZeroReportsDroppedEvents) {
  EventHub hub({.events = 2, .bytes = 1'000'000}, 1000);
  publish(hub, 5);
  EXPECT_EQ(hub.read(0, 10).missed, 3U);
  EXPECT_THAT(numbers(hub.read(0, 10)), ElementsAre(1003U, 1004U));
}

TEST(EventHub, ANumberOfAnotherHubIsARestart) {
  EventHub hub({.events = 2, .bytes = 1'000'000}, 1000);
  publish(hub, 4);
  for (const std::uint64_t since : {1U, 4U, 998U, 1004U, 5000U}) {  // the clock went forward, or
                                                                    // back
    const auto batch = hub.read(since, 10);
    EXPECT_TRUE(batch.restarted) << since;
    EXPECT_THAT(numbers(batch), ElementsAre(1002U, 1003U)) << since;
    EXPECT_FALSE(hub.read(batch.next, 10).is_gap()) << since;
  }
  EXPECT_FALSE(hub.read(999, 10).restarted);
  EXPECT_FALSE(hub.read(1003, 10).restarted);

  const EventHub empty(1000);
  EXPECT_TRUE(empty.read(7, 10).restarted);
  EXPECT_EQ(empty.read(7, 10).next, 999U);
}

TEST(EventHub, ALaterServersNumbersAreGreaterAndFitIntoJavaScripts) {
  using Clock = std::chrono::system_clock;
  const Clock::time_point start{std::chrono::sys_days{std::chrono::year{2026} / 7 / 1}};
  EXPECT_EQ(EventHub::first_number_at(start + 1ms), EventHub::first_number_at(start) + 1000);
  const Clock::time_point late{std::chrono::sys_days{std::chrono::year{2255} / 1 / 1}};
  EXPECT_LT(EventHub::first_number_at(late), std::uint64_t{1} << 53U);
  EXPECT_EQ(EventHub::first_number_at(Clock::time_point{} - 1h), 1U);  // the clock was never set
}

TEST(EventHub, LargeEventsPushOutOldOnesButNotThemselves) {
  EventHub hub({.events = 100, .bytes = 1000});
  publish(hub, 3);
  hub.publish("run", "error", 0ms, '"' + std::string(5000, 'x') + '"');
  EXPECT_EQ(hub.first(), 4U);
  EXPECT_EQ(hub.read(0, 10).missed, 3U);
  publish(hub, 1);
  EXPECT_EQ(hub.first(), 5U);
}

TEST(EventHub, AnEventOutlivesItsPlaceInTheHub) {
  EventHub hub({.events = 1, .bytes = 1'000'000});
  publish(hub, 1);
  const auto held = hub.read(0, 1);
  publish(hub, 5);
  EXPECT_EQ(held.events.front()->seq, 1U);
}

TEST(EventHub, SubscribersAreWokenUntilTheyLeave) {
  EventHub hub;
  int woken = 0;
  const auto subscription = hub.subscribe([&] { ++woken; });
  publish(hub, 2);
  hub.unsubscribe(subscription);
  publish(hub, 1);
  EXPECT_EQ(woken, 2);
}

TEST(EventHub, ManyPublishersAndWatchersLoseNothing) {
  constexpr int kPublishers = 4;
  constexpr int kEvents = 500;
  EventHub hub;
  std::vector<std::thread> threads;
  threads.reserve(2 + kPublishers);
  std::atomic<int> whole{0};
  for (int watcher = 0; watcher < 2; ++watcher) {
    threads.emplace_back([&] {
      std::uint64_t since = 0;
      std::uint64_t seen = 0;
      while (seen < static_cast<std::uint64_t>(kPublishers) * kEvents) {
        const auto batch = hub.read(since, 64);
        for (const auto& event : batch.events) {
          if (event->seq != ++seen) {
            return;
          }
        }
        since = batch.next;
      }
      ++whole;
    });
  }
  for (int publisher = 0; publisher < kPublishers; ++publisher) {
    threads.emplace_back([&] { publish(hub, kEvents); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(whole, 2);
}

}  // namespace
}  // namespace enprof
