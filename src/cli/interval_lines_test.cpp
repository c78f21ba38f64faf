#include "cli/interval_lines.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr RequestsSoFar kBefore{.passes = 10,
                                .requests = 3,
                                .in_flight = 3,
                                .output_tokens = 20,
                                .pass_s = 1.0,
                                .sequence_s = 3.0};
constexpr RequestsSoFar kNow{.passes = 50,
                             .requests = 5,
                             .in_flight = 2,
                             .output_tokens = 120,
                             .pass_s = 2.6,
                             .sequence_s = 7.0};

TEST(IntervalLines, RatesAreOfTheIntervalAndEnergyIsOfAllTokens) {
  EXPECT_EQ(requests_so_far(kBefore, kNow, 2s, Joules{60.0}, ""),
            "2 of 5 requests in flight · 50.0 tokens/s · 2.5 sequences a pass · 500.0 mJ/token");
}

TEST(IntervalLines, AnEstimateIsMarked) {
  EXPECT_EQ(requests_so_far(kBefore, kNow, 2s, Joules{60.0}, "~"),
            "2 of 5 requests in flight · 50.0 tokens/s · 2.5 sequences a pass · ~500.0 mJ/token");
}

TEST(IntervalLines, WithoutPassesNothingIsSaidOfRequests) {
  EXPECT_EQ(requests_so_far({}, {}, 2s, Joules{60.0}, ""), "");
}

TEST(IntervalLines, WhatIsNotKnownIsLeftOut) {
  EXPECT_EQ(requests_so_far(kNow, kNow, 2s, std::nullopt, ""),
            "2 of 5 requests in flight · 0.0 tokens/s");
  EXPECT_EQ(requests_so_far({}, {.passes = 1, .requests = 1}, 0s, Joules{1.0}, ""),
            "0 of 1 requests in flight");
}

TEST(IntervalLines, TokensThatWereTakenBackAreNoNegativeRate) {
  EXPECT_EQ(requests_so_far(kNow, kBefore, 2s, std::nullopt, ""),
            "3 of 3 requests in flight · 0.0 tokens/s");
}

}  // namespace
}  // namespace enprof
