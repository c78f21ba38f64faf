#include "session/played_passes.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kBegin{1h};

/// A warm-up, then a prompt and two tokens of 10 ms each, each 20 ms after the one before.
CaptureRecording recording() {
  CaptureRecording all;
  all.contexts = {{.model = 0, .positions = 512}};
  const auto pass = [&](Nanoseconds at, const BatchSequence& sequence) {
    const Instant begin{at};
    all.add_pass(0, {.begin = begin, .start = begin, .end = begin + 10ms}, {},
                 std::vector{sequence});
  };
  all.work = {{.kind = CapturedWorkKind::warm_up, .begin = Instant{0ms}, .end = Instant{10ms}}};
  pass(0ms, {.id = 0, .first_position = 0, .tokens = 9, .outputs = 1});
  pass(20ms, {.id = 0, .first_position = 0, .tokens = 9, .outputs = 1});
  pass(40ms, {.id = 0, .first_position = 9, .tokens = 1, .outputs = 1});
  pass(60ms, {.id = 0, .first_position = 10, .tokens = 1, .outputs = 1});
  return all;
}

TEST(PlayedPasses, APassIsToldWhenItHasEnded) {
  const CaptureRecording passes = recording();
  LiveRequests live;
  PlayedPasses played(passes, kBegin, live);
  played.tell(kBegin + 29ms);
  EXPECT_EQ(live.so_far(kBegin + 29ms).passes, 0U) << "a warm-up is none of a request";
  played.tell(kBegin + 30ms);
  EXPECT_EQ(live.so_far(kBegin + 30ms).requests, 1U);
  played.tell(kBegin + 30ms);
  EXPECT_EQ(live.so_far(kBegin + 30ms).passes, 1U) << "once";
  played.tell(kBegin + 1h);
  const RequestsSoFar all = live.so_far(kBegin + 70ms);
  EXPECT_EQ(all.passes, 3U);
  EXPECT_EQ(all.output_tokens, 3U);
  EXPECT_EQ(all.in_flight, 1U);
}

TEST(PlayedPasses, WhatTheProgramDidToItsCacheComesBetweenThem) {
  CaptureRecording passes = recording();
  passes.changes = {
      {.context = 0,
       .change = {
           .what = ToldMemory::What::remove, .at = Instant{55ms}, .sequence = 0, .from = 5}}};
  LiveRequests live;
  PlayedPasses played(passes, kBegin, live);
  played.tell(kBegin + 54ms);
  EXPECT_EQ(live.so_far(kBegin + 54ms).in_flight, 1U);
  played.tell(kBegin + 56ms);
  EXPECT_EQ(live.so_far(kBegin + 56ms).in_flight, 0U);
  played.tell(kBegin + 70ms);
  EXPECT_EQ(live.so_far(kBegin + 70ms).requests, 2U) << "it was another one's";
}

}  // namespace
}  // namespace enprof
