#include "session/live_requests.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Instant kBegin{1h};

/// A prompt of 8 tokens in 40 ms, then a token each 10 ms.
class LiveRequestsTest : public ::testing::Test {
 protected:
  void pass(Nanoseconds at, Nanoseconds takes, std::vector<BatchSequence> batch,
            std::uint32_t context = 0) {
    live_.add(context, contexts_,
              {.begin = kBegin + at, .start = kBegin + at, .end = kBegin + at + takes}, batch);
  }
  void serve(std::int32_t sequence, Nanoseconds at, std::int32_t tokens) {
    pass(at, 40ms, {{.id = sequence, .first_position = 0, .tokens = 8, .outputs = 1}});
    for (std::int32_t token = 0; token < tokens; ++token) {
      pass(at + 40ms + token * 10ms, 10ms,
           {{.id = sequence, .first_position = 8 + token, .tokens = 1, .outputs = 1}});
    }
  }

  std::vector<CapturedContext> contexts_{{.model = 0, .positions = 512},
                                         {.model = 0, .positions = 512}};
  LiveRequests live_;
};

TEST_F(LiveRequestsTest, BeforeTheFirstPassThereIsNothing) {
  EXPECT_EQ(live_.so_far(kBegin), RequestsSoFar{});
}

TEST_F(LiveRequestsTest, ARequestIsInFlightUntilItsContextRests) {
  serve(0, 0ms, 6);
  const RequestsSoFar now = live_.so_far(kBegin + 110ms);
  EXPECT_EQ(now.passes, 7U);
  EXPECT_EQ(now.requests, 1U);
  EXPECT_EQ(now.in_flight, 1U);
  EXPECT_EQ(now.output_tokens, 7U);
  EXPECT_NEAR(now.pass_s, 0.1, 1e-9);
  EXPECT_NEAR(now.sequence_s, 0.1, 1e-9);
  EXPECT_EQ(live_.so_far(kBegin + 100ms + LiveRequests::kLingering).in_flight, 1U);
  EXPECT_EQ(live_.so_far(kBegin + 101ms + LiveRequests::kLingering).in_flight, 0U);
  EXPECT_EQ(live_.so_far(kBegin + 1h).requests, 1U) << "it is still one of those so far";
}

TEST_F(LiveRequestsTest, PassesThatTakeLongLingerLonger) {
  pass(0ms, 20s, {{.id = 0, .first_position = 0, .tokens = 400, .outputs = 1}});
  EXPECT_EQ(live_.so_far(kBegin + 70s).in_flight, 1U);
  EXPECT_EQ(live_.so_far(kBegin + 81s).in_flight, 0U);
}

TEST_F(LiveRequestsTest, ContextsAreCountedTogether) {
  pass(0ms, 10ms,
       {{.id = 0, .first_position = 0, .tokens = 5, .outputs = 1},
        {.id = 1, .first_position = 0, .tokens = 9, .outputs = 1}});
  pass(10ms, 10ms, {{.id = 0, .first_position = 0, .tokens = 5, .outputs = 1}}, 1);
  const RequestsSoFar now = live_.so_far(kBegin + 30ms);
  EXPECT_EQ(now.requests, 3U);
  EXPECT_EQ(now.in_flight, 3U);
  EXPECT_NEAR(now.sequence_s / now.pass_s, 1.5, 1e-9);
}

TEST_F(LiveRequestsTest, AWarmUpIsTakenBack) {
  pass(0ms, 10ms, {{.id = 0, .first_position = 0, .tokens = 2, .outputs = 1}});
  EXPECT_EQ(live_.so_far(kBegin + 10ms).requests, 1U);
  serve(0, 20ms, 1);
  const RequestsSoFar now = live_.so_far(kBegin + 80ms);
  EXPECT_EQ(now.requests, 1U);
  EXPECT_EQ(now.output_tokens, 2U);
}

TEST_F(LiveRequestsTest, AnotherProgramBeginsAnew) {
  serve(0, 0ms, 2);
  live_.clear();
  EXPECT_EQ(live_.so_far(kBegin + 60ms), RequestsSoFar{});
  serve(0, 100ms, 2);
  EXPECT_EQ(live_.so_far(kBegin + 160ms).requests, 1U);
}

// ---- news ---------------------------------------------------------------------------------------

TEST_F(LiveRequestsTest, NewsListWhatIsInFlightWithItsBegin) {
  EXPECT_EQ(live_.news(kBegin), RequestNews{});
  serve(3, 20ms, 2);
  const RequestNews news = live_.news(kBegin + 80ms);
  EXPECT_EQ(news.sums, live_.so_far(kBegin + 80ms));
  EXPECT_THAT(news.running, ElementsAre(LiveRequest{.number = 1,
                                                    .context = 0,
                                                    .sequence = 3,
                                                    .begin = kBegin + 20ms,
                                                    .end = kBegin + 80ms,
                                                    .prompt_tokens = 8,
                                                    .output_tokens = 3,
                                                    .first_token = kBegin + 60ms}));
  EXPECT_THAT(news.ended, IsEmpty());
  EXPECT_EQ(live_.news(kBegin + 90ms).running, news.running) << "it still is";
}

TEST_F(LiveRequestsTest, WhatHasEndedIsNewsOnce) {
  serve(0, 0ms, 2);
  EXPECT_EQ(live_.news(kBegin + 60ms).running.size(), 1U);
  const RequestNews ended = live_.news(kBegin + 2s);
  EXPECT_THAT(ended.running, IsEmpty());
  ASSERT_EQ(ended.ended.size(), 1U);
  EXPECT_EQ(ended.ended[0].end, kBegin + 60ms) << "the end of its last pass";
  EXPECT_THAT(live_.news(kBegin + 3s).ended, IsEmpty());
}

TEST_F(LiveRequestsTest, OneThatComesAndGoesBetweenTwoNewsIsTold) {
  serve(0, 0ms, 1);
  serve(0, 60ms, 1);
  const RequestNews news = live_.news(kBegin + 110ms);
  ASSERT_EQ(news.ended.size(), 1U);
  EXPECT_EQ(news.ended[0].number, 1U);
  ASSERT_EQ(news.running.size(), 1U);
  EXPECT_EQ(news.running[0].number, 2U);
}

TEST_F(LiveRequestsTest, OneThatHadEndedMayGoOn) {
  serve(0, 0ms, 1);
  EXPECT_EQ(live_.news(kBegin + 5s).ended.size(), 1U);
  pass(5s, 10ms, {{.id = 0, .first_position = 9, .tokens = 1, .outputs = 1}});
  const RequestNews again = live_.news(kBegin + 5010ms);
  EXPECT_THAT(again.ended, IsEmpty());
  ASSERT_EQ(again.running.size(), 1U);
  EXPECT_EQ(again.running[0].number, 1U);
  const RequestNews end = live_.news(kBegin + 10s);
  ASSERT_EQ(end.ended.size(), 1U);
  EXPECT_EQ(end.ended[0].end, kBegin + 5010ms);
}

TEST_F(LiveRequestsTest, AWarmUpThatWasToldIsTakenBack) {
  pass(0ms, 10ms, {{.id = 0, .first_position = 0, .tokens = 2, .outputs = 1}});
  EXPECT_EQ(live_.news(kBegin + 10ms).running.size(), 1U);
  serve(0, 20ms, 1);
  const RequestNews news = live_.news(kBegin + 80ms);
  EXPECT_THAT(news.taken_back, ElementsAre(1U));
  EXPECT_THAT(news.ended, IsEmpty());
  ASSERT_EQ(news.running.size(), 1U);
  EXPECT_EQ(news.running[0].number, 2U) << "numbers stay";
  EXPECT_EQ(news.sums.requests, 1U);
  EXPECT_THAT(live_.news(kBegin + 90ms).taken_back, IsEmpty());
}

TEST_F(LiveRequestsTest, AWarmUpThatNobodyHeardOfIsNoNews) {
  pass(0ms, 10ms, {{.id = 0, .first_position = 0, .tokens = 2, .outputs = 1}});
  serve(0, 20ms, 1);
  EXPECT_THAT(live_.news(kBegin + 80ms).taken_back, IsEmpty());
}

TEST_F(LiveRequestsTest, TokensOfADraftThatIsCutLaterChangeWhatWasSaid) {
  serve(0, 0ms, 1);
  pass(50ms, 10ms, {{.id = 0, .first_position = 9, .tokens = 4, .outputs = 4}});
  const RequestNews ended = live_.news(kBegin + 5s);
  ASSERT_EQ(ended.ended.size(), 1U);
  EXPECT_EQ(ended.ended[0].output_tokens, 3U);
  live_.add(
      {.context = 0, .change = {.what = ToldMemory::What::remove, .sequence = 0, .from = 11}});
  const RequestNews changed = live_.news(kBegin + 6s);
  ASSERT_EQ(changed.ended.size(), 1U) << "one token of the draft was accepted";
  EXPECT_EQ(changed.ended[0].output_tokens, 4U);
  EXPECT_EQ(changed.sums.output_tokens, 4U);
}

TEST_F(LiveRequestsTest, APromptWithoutItsFirstTokenHasNone) {
  pass(0ms, 10ms, {{.id = 0, .first_position = 0, .tokens = 8, .outputs = 0}});
  const RequestNews news = live_.news(kBegin + 10ms);
  ASSERT_EQ(news.running.size(), 1U);
  EXPECT_FALSE(news.running[0].first_token);
}

TEST_F(LiveRequestsTest, WhenTheProgramHasEndedNothingIsInFlight) {
  serve(0, 0ms, 2);
  EXPECT_EQ(live_.news(kBegin + 60ms).sums.in_flight, 1U);
  live_.end_program();
  const RequestNews last = live_.news(kBegin + 61ms);
  EXPECT_EQ(last.sums.in_flight, 0U);
  EXPECT_THAT(last.running, IsEmpty());
  EXPECT_EQ(last.ended.size(), 1U);
  EXPECT_EQ(live_.so_far(kBegin + 61ms).in_flight, 0U);
}

TEST_F(LiveRequestsTest, ListsAreBoundedAndSayWhatTheyLeaveOut) {
  constexpr auto kMost = static_cast<std::int32_t>(LiveRequests::kMostListed);
  std::vector<BatchSequence> batch;
  for (std::int32_t id = 0; id < kMost + 5; ++id) {
    batch.push_back({.id = id, .first_position = 0, .tokens = 8, .outputs = 1});
  }
  pass(0ms, 10ms, batch);
  const RequestNews running = live_.news(kBegin + 10ms);
  EXPECT_EQ(running.sums.in_flight, batch.size());
  EXPECT_EQ(running.running.size(), LiveRequests::kMostListed);
  EXPECT_EQ(running.running.front().number, 1U) << "the oldest are listed";
  EXPECT_EQ(running.left_out, 5U);
  const RequestNews ended = live_.news(kBegin + 5s);
  EXPECT_EQ(ended.ended.size(), LiveRequests::kMostListed);
  EXPECT_EQ(ended.ended.back().number, batch.size()) << "the latest are listed";
  EXPECT_EQ(ended.left_out, 5U);
  EXPECT_EQ(live_.news(kBegin + 6s).left_out, 0U);
}

}  // namespace
}  // namespace enprof
