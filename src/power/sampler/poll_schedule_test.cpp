#include "power/sampler/poll_schedule.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using Step = PollSchedule::Step;

constexpr Instant kStart{1h};
constexpr Nanoseconds kPeriod = 10ms;

/// When the next thing is due.
Instant due(const PollSchedule& schedule, Instant now) { return now + schedule.time_to_sleep(now); }

TEST(PollSchedule, BeginsWithAStartAtOnce) {
  const PollSchedule schedule({.period = kPeriod});
  EXPECT_EQ(schedule.next_step(), Step::start);
  EXPECT_TRUE(schedule.is_due(kStart));
  EXPECT_EQ(schedule.time_to_sleep(kStart), 0ns);
}

TEST(PollSchedule, PollsEachPeriod) {
  PollSchedule schedule({.period = kPeriod});
  schedule.set_started(kStart);
  EXPECT_EQ(schedule.next_step(), Step::poll);
  EXPECT_FALSE(schedule.is_due(kStart + 9ms));
  EXPECT_TRUE(schedule.is_due(kStart + 10ms));
  EXPECT_EQ(schedule.plan_next_poll(kStart + 10ms), 0U);
  EXPECT_EQ(due(schedule, kStart + 10ms), kStart + 20ms);
}

TEST(PollSchedule, AfterALatePollTheNextIsInStepWithTheFirstWhereItStillCanBe) {
  PollSchedule schedule({.period = kPeriod});
  schedule.set_started(kStart);
  schedule.plan_next_poll(kStart + 13ms);
  EXPECT_EQ(due(schedule, kStart + 13ms), kStart + 20ms);
  schedule.plan_next_poll(kStart + 47ms);
  EXPECT_EQ(due(schedule, kStart + 47ms), kStart + 57ms) << "missed polls are not made later";
}

TEST(PollSchedule, TheSourceMayAskForALittleLater) {
  Nanoseconds later = 1ms;
  PollSchedule schedule({.period = kPeriod, .wake_for = [&](Instant at) { return at + later; }});
  schedule.set_started(kStart);
  EXPECT_EQ(due(schedule, kStart), kStart + 11ms);
  later = 1h;
  schedule.plan_next_poll(kStart + 11ms);
  EXPECT_EQ(due(schedule, kStart + 11ms), kStart + 30ms) << "at most one period later";
  later = -1h;
  schedule.plan_next_poll(kStart + 30ms);
  EXPECT_EQ(due(schedule, kStart + 30ms), kStart + 40ms) << "not before it is due";
}

TEST(PollSchedule, LeavesPollsOutWhereTheyTakeMoreThanTheirShareOfACpu) {
  Nanoseconds cpu{0};
  PollSchedule schedule({.period = kPeriod, .cpu_share = 0.01, .cpu_time = [&] { return cpu; }});
  schedule.set_started(kStart);
  cpu += 400us;  // the share of 40 ms
  EXPECT_EQ(schedule.plan_next_poll(kStart + 10ms), 0U);
  const Instant next = due(schedule, kStart + 10ms);
  EXPECT_GT(next, kStart + 20ms);
  EXPECT_EQ(schedule.plan_next_poll(next),
            static_cast<std::size_t>((next - (kStart + 20ms)) / kPeriod));
}

TEST(PollSchedule, WhatIsLostIsTriedAgainEverMoreRarelyUpToAMinute) {
  PollSchedule schedule({.period = kPeriod});
  Instant now = kStart;
  for (const Nanoseconds pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    schedule.set_lost(now);
    EXPECT_EQ(schedule.next_step(), Step::start);
    EXPECT_EQ(due(schedule, now), now + pause);
    now += pause;
  }
  schedule.set_started(now);
  schedule.set_lost(now);
  EXPECT_EQ(due(schedule, now), now + 60s) << "it started, but has given nothing";
  schedule.set_working();
  schedule.set_lost(now);
  EXPECT_EQ(due(schedule, now), now + 1s);
}

TEST(PollSchedule, WhatHasEndedIsLeftAlone) {
  PollSchedule schedule({.period = kPeriod});
  schedule.set_started(kStart);
  schedule.set_ended();
  EXPECT_EQ(schedule.next_step(), Step::nothing);
  EXPECT_EQ(schedule.time_to_sleep(kStart + 1h), PollSchedule::kLongestSleep);
}

TEST(PollSchedule, RestsWhereReadingsAreMadeElsewhere) {
  PollSchedule schedule({.period = kPeriod});
  schedule.set_started(kStart);
  EXPECT_EQ(schedule.plan_next_poll(kStart + 10ms, 100ms), 0U);
  EXPECT_EQ(due(schedule, kStart + 10ms), kStart + 110ms);
  EXPECT_EQ(schedule.plan_next_poll(kStart + 110ms), 9U) << "left out on purpose";
  EXPECT_EQ(due(schedule, kStart + 110ms), kStart + 120ms);
}

}  // namespace
}  // namespace enprof
