#include "power/powermetrics/powermetrics_timeline.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

class PowermetricsTimelineTest : public ::testing::Test {
 protected:
  /// Places samples of 100 ms that arrive together at `at` after the start.
  PowermetricsTimeline::Placement see(Nanoseconds at, std::size_t count = 1) {
    const std::vector<Nanoseconds> lengths(count, 100ms);
    auto placement = timeline_.place(lengths, start_ + at);
    for (const auto& place : placement.places) {
      if (place) {
        EXPECT_LT(place->begin, place->end);
        EXPECT_GE(place->begin, last_end_) << "windows overlap";
        EXPECT_LE(place->end, start_ + at) << "a window ends before it was seen";
        last_end_ = place->end;
      }
    }
    return placement;
  }
  /// One sample of this length.
  std::optional<PowermetricsTimeline::Place> see_one(Nanoseconds at, Nanoseconds length) {
    return timeline_.place({&length, 1}, start_ + at).places.front();
  }
  [[nodiscard]] PowermetricsTimeline::Place from_to(Nanoseconds begin, Nanoseconds end) const {
    return {.begin = start_ + begin, .end = start_ + end};
  }

  PowermetricsTimeline timeline_{300ms};
  const Instant start_{1'000s};
  Instant last_end_ = start_ - 1'000s;
};

TEST_F(PowermetricsTimelineTest, AWindowEndsWhenItsSampleComes) {
  const auto first = see(110ms);
  EXPECT_TRUE(first.is_new_chain);
  EXPECT_EQ(first.places[0], from_to(10ms, 110ms));
  const auto second = see(210ms);
  EXPECT_FALSE(second.is_new_chain);
  EXPECT_EQ(second.places[0], from_to(110ms, 210ms));
}

TEST_F(PowermetricsTimelineTest, LengthsCountAndNotWhenSamplesCome) {
  see(110ms);
  EXPECT_EQ(see(217ms).places[0], from_to(110ms, 210ms)) << "7 ms late";
  EXPECT_EQ(see(339ms).places[0], from_to(210ms, 310ms)) << "29 ms late";
  EXPECT_EQ(see(411ms).places[0], from_to(310ms, 410ms));
}

TEST_F(PowermetricsTimelineTest, TheLeastDelaySoFarIsTheBestGuess) {
  EXPECT_EQ(see(140ms).places[0], from_to(40ms, 140ms));  // 30 ms late, which is unknown yet
  EXPECT_EQ(see(210ms).places[0], from_to(140ms, 210ms)) << "the next one shows it, and is cut";
  EXPECT_EQ(see(330ms).places[0], from_to(210ms, 310ms));
}

TEST_F(PowermetricsTimelineTest, SamplesThatCameTogetherLieBehindEachOther) {
  const auto together = see(310ms, 3);
  EXPECT_EQ(together.places[0], from_to(10ms, 110ms));
  EXPECT_EQ(together.places[1], from_to(110ms, 210ms));
  EXPECT_EQ(together.places[2], from_to(210ms, 310ms));
}

TEST_F(PowermetricsTimelineTest, ASampleOfWhichLessThanHalfFitsHasNoWindow) {
  see(190ms);                                     // 80 ms late
  EXPECT_EQ(see(215ms).places[0], std::nullopt);  // 25 of 100 ms are not a window
  EXPECT_EQ(see(310ms).places[0], from_to(215ms, 310ms));
}

// Ctrl-Z: an earlier sample arrives late and is placed late; the next one covers the stop.
TEST_F(PowermetricsTimelineTest, ASampleOfTheTimeOfAStopGoesIntoNoWindowAfterIt) {
  see(100ms);
  EXPECT_EQ(see(2'100ms).places[0], from_to(2'000ms, 2'100ms));
  EXPECT_EQ(see_one(2'150ms, 1'950ms), std::nullopt);
  EXPECT_EQ(see(2'250ms).places[0], from_to(2'150ms, 2'250ms));
  EXPECT_EQ(see(2'350ms).places[0], from_to(2'250ms, 2'350ms));
}

TEST_F(PowermetricsTimelineTest, TimeThatNoSampleTellsOfIsAGap) {
  see(100ms);
  const auto after_sleep = see(5'000ms);
  EXPECT_TRUE(after_sleep.is_new_chain);
  EXPECT_EQ(after_sleep.places[0], from_to(4'900ms, 5'000ms));
}

TEST_F(PowermetricsTimelineTest, SamplesThatWaitedForUsAreNoGap) {
  see(100ms);
  const auto late = see(900ms, 8);  // we slept, powermetrics did not
  EXPECT_FALSE(late.is_new_chain);
  EXPECT_EQ(late.places.front(), from_to(100ms, 200ms));
  EXPECT_EQ(late.places.back(), from_to(800ms, 900ms));
}

TEST_F(PowermetricsTimelineTest, ALostSampleLeavesAGapOfItsLength) {
  see(100ms);
  timeline_.break_chain();  // the one of 200 ms
  const auto next = see(300ms);
  EXPECT_TRUE(next.is_new_chain);
  EXPECT_EQ(next.places[0], from_to(200ms, 300ms));
}

TEST_F(PowermetricsTimelineTest, ANewChainDoesNotReachBackIntoTheOld) {
  see(100ms);
  timeline_.break_chain();
  EXPECT_EQ(see(160ms).places[0], from_to(100ms, 160ms));
}

TEST_F(PowermetricsTimelineTest, ClocksThatDriftApartDoNoHarm) {
  // 1 ms per sample: a hundred times worse than any crystal.
  Nanoseconds at{0};
  for (int sample = 0; sample < 500; ++sample) {
    at += 101ms;
    see(at);
  }
  EXPECT_LE(start_ + at - last_end_, 1ms * PowermetricsTimeline::kMemory);
}

TEST_F(PowermetricsTimelineTest, NoSamplesNoPlaces) {
  EXPECT_TRUE(timeline_.place({}, start_).places.empty());
}

}  // namespace
}  // namespace enprof
