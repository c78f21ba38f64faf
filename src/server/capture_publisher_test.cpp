#include "server/capture_publisher.hpp"

#include "support/manual_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace enprof {
namespace {

using Json = nlohmann::json;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

/// Passes on a clock that the test moves.
class CapturePublisherTest : public ::testing::Test {
 protected:
  void start() { publishing_.start("r", clock_.now()); }
  /// A pass of 10 ms that ends now.
  void pass(std::int32_t position, std::uint32_t tokens = 1) {
    const Instant end = clock_.now();
    live_.add(0, contexts_, {.begin = end - 10ms, .start = end - 10ms, .end = end},
              std::vector<BatchSequence>{
                  {.id = 0, .first_position = position, .tokens = tokens, .outputs = 1}});
  }
  /// What was published since the last call.
  std::vector<Json> published() {
    std::vector<Json> result;
    const EventHub::Batch batch = hub_.read(seen_, 1000);
    for (const auto& event : batch.events) {
      result.push_back(Json::parse(event->json));
      seen_ = event->seq;
    }
    return result;
  }

  testing::ManualClock clock_;
  std::vector<CapturedContext> contexts_{{.model = 0, .positions = 512}};
  EventHub hub_;
  std::uint64_t seen_ = 0;
  LivePublisher publisher_{hub_};
  LiveRequests live_;
  CapturePublisher publishing_{publisher_, live_, clock_};
};

TEST_F(CapturePublisherTest, AProgramWithoutPassesHasNoRequests) {
  start();
  clock_.pass(10s);
  publishing_.end();
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(CapturePublisherTest, NewsComeFourTimesASecondAndOnlyIfThereAreAny) {
  start();
  pass(0, 9);
  clock_.pass(250ms);
  const auto first = published();
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_EQ(first[0]["run_id"], "r");
  EXPECT_EQ(first[0]["t_ms"], 250.0);
  EXPECT_EQ(first[0]["data"]["in_flight"], 1);
  clock_.pass(500ms);
  EXPECT_THAT(published(), IsEmpty());
  clock_.pass(500ms);
  const auto ended = published();
  ASSERT_THAT(ended, SizeIs(1)) << "its context rests";
  EXPECT_EQ(ended[0]["data"]["in_flight"], 0);
  EXPECT_EQ(ended[0]["data"]["ended"].size(), 1U);
  EXPECT_TRUE(ended[0]["data"]["tokens_per_second"].is_null());
}

TEST_F(CapturePublisherTest, RatesAreThoseOfTheLastTwoSeconds) {
  start();
  pass(0, 9);
  for (int step = 0; step < 20; ++step) {  // ten tokens a second, for two
    clock_.pass(100ms);
    pass(9 + step);
  }
  clock_.pass(50ms);
  for (int step = 0; step < 40; ++step) {  // twenty a second, for two more
    clock_.pass(50ms);
    pass(29 + step);
  }
  clock_.pass(200ms);
  const auto all = published();
  ASSERT_FALSE(all.empty());
  EXPECT_NEAR(all.back()["data"]["tokens_per_second"].get<double>(), 18.0, 3.0);
  EXPECT_EQ(all.back()["data"]["mean_sequences"], 1.0);
  EXPECT_EQ(all.back()["data"]["output_tokens"], 61);
}

TEST_F(CapturePublisherTest, TheEndIsToldAtOnce) {
  start();
  pass(0, 9);
  clock_.pass(250ms);
  published();
  publishing_.end();
  const auto last = published();
  ASSERT_THAT(last, SizeIs(1));
  EXPECT_EQ(last[0]["data"]["in_flight"], 0);
  EXPECT_EQ(last[0]["data"]["ended"].size(), 1U);
}

TEST_F(CapturePublisherTest, TheNextRunBeginsAnew) {
  start();
  pass(0, 9);
  publishing_.end();
  published();
  live_.clear();
  publishing_.start("s", clock_.now());
  pass(0, 9);
  clock_.pass(250ms);
  const auto events = published();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0]["run_id"], "s");
  EXPECT_EQ(events[0]["data"]["requests"], 1);
}

}  // namespace
}  // namespace enprof
