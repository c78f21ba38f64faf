#include "session/live_requests.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

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

}  // namespace
}  // namespace enprof
