#include "power/sampler/source_health.hpp"

#include "support/warning_codes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr Instant kStart{1h};

Poll poll(PollOutcome outcome, std::string message) {
  return {.outcome = outcome,
          .error = {.code = ErrorCode::io, .message = std::move(message), .hint = "do this"}};
}

TEST(SourceHealth, IsGoodWhereNothingHappened) {
  SourceHealth health;
  health.record_poll({}, kStart);
  EXPECT_TRUE(health.warnings("rapl").empty());
}

TEST(SourceHealth, ManyFailedReadingsAreOneWarningWithTheirNumber) {
  SourceHealth health;
  health.record_poll(poll(PollOutcome::retry, "first"), kStart);
  ASSERT_EQ(health.warnings("rapl").size(), 1U);
  EXPECT_EQ(health.warnings("rapl")[0].message, "rapl: a reading failed: first");
  for (int count = 1; count < 100; ++count) {
    health.record_poll(poll(PollOutcome::retry, "another"), kStart + count * 1s);
  }
  const auto warnings = health.warnings("rapl");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].component, "power");
  EXPECT_EQ(warnings[0].code, "sensor_retried");
  EXPECT_EQ(health.failed_readings(), 100U);
  EXPECT_EQ(warnings[0].message, "rapl: 100 readings failed; the first: first");
  EXPECT_EQ(warnings[0].hint, "do this");
}

TEST(SourceHealth, AFaultIsAWarningAsLongAsItLasts) {
  SourceHealth health;
  health.record_faults(
      {{.code = "counter_unreadable",
        .error = {.code = ErrorCode::io, .message = "package-1", .hint = "look"}},
       {.code = "counter_unreadable",
        .error = {.code = ErrorCode::io, .message = "package-2", .hint = "look"}}});
  for (const Instant since : {Instant::min(), kStart}) {
    const auto warnings = health.warnings("rapl", since);
    ASSERT_EQ(warnings.size(), 2U) << "each is told of";
    EXPECT_EQ(warnings[0].code, "counter_unreadable");
    EXPECT_EQ(warnings[0].message, "rapl: package-1");
    EXPECT_EQ(warnings[1].message, "rapl: package-2");
    EXPECT_EQ(warnings[1].hint, "look");
  }
  health.record_faults({});
  EXPECT_TRUE(health.warnings("rapl").empty());
}

TEST(SourceHealth, EachKindOfTroubleIsAWarning) {
  SourceHealth health;
  health.record_poll(poll(PollOutcome::gone, "b"), kStart);
  health.record_restart(kStart + 3s);
  health.record_poll(poll(PollOutcome::gone, "b"), kStart + 4s);
  health.record_poll(poll(PollOutcome::stopped, "c"), kStart);
  health.record_stall(2s, kStart);
  health.record_invalid_sample(kStart);
  health.record_rate({.asked_hz = 100, .actual_hz = 61.5}, kStart);
  health.record_refused_priority(
      {.code = ErrorCode::permission_denied, .message = "d", .hint = ""});
  health.record_failure({.code = ErrorCode::internal, .message = "e", .hint = ""});
  const auto warnings = health.warnings("rapl");
  for (const Warning& warning : warnings) {
    EXPECT_THAT(warning.message, HasSubstr("rapl"));
  }
  EXPECT_THAT(testing::warning_codes(warnings),
              ::testing::UnorderedElementsAre("sensor_gone", "sensor_restarted", "source_ended",
                                              "sensor_stalled", "invalid_windows", "rate_deviation",
                                              "realtime_refused", "sampler_failed"));
  EXPECT_THAT(warnings[1].message, HasSubstr("3 s"));
}

TEST(SourceHealth, WhatWasBeforeIsTellableFromWhatCameSince) {
  SourceHealth health;
  health.record_poll(poll(PollOutcome::retry, "early"), kStart);
  health.record_stall(2s, kStart);
  health.record_invalid_sample(kStart);
  health.record_poll(poll(PollOutcome::retry, "late"), kStart + 10s);
  const auto since = health.warnings("rapl", kStart + 1s);
  ASSERT_EQ(since.size(), 1U);
  EXPECT_EQ(since[0].message, "rapl: a reading failed: late");
  EXPECT_TRUE(health.warnings("rapl", kStart + 11s).empty());
}

TEST(SourceHealth, WhatLastsIsToldHoweverLongAgoItBegan) {
  SourceHealth health;
  health.record_poll(poll(PollOutcome::gone, "unplugged"), kStart);
  EXPECT_EQ(testing::warning_codes(health.warnings("rapl", kStart + 1h)),
            std::vector<std::string>{"sensor_gone"});
  health.record_restart(kStart + 2h);
  EXPECT_EQ(testing::warning_codes(health.warnings("rapl", kStart + 1h)),
            std::vector<std::string>{"sensor_restarted"});
  EXPECT_TRUE(health.warnings("rapl", kStart + 3h).empty());

  SourceHealth late;
  late.record_failed_start({.code = ErrorCode::io, .message = "not there yet", .hint = ""}, kStart);
  late.record_failed_start({.code = ErrorCode::io, .message = "still not", .hint = ""},
                           kStart + 1s);
  EXPECT_EQ(testing::warning_codes(late.warnings("rapl", kStart + 1h)),
            std::vector<std::string>{"sensor_not_started"});
  late.record_restart(kStart + 4s);
  EXPECT_EQ(testing::warning_codes(late.warnings("rapl", kStart)),
            std::vector<std::string>{"sensor_restarted"});
  EXPECT_THAT(late.warnings("rapl")[0].message, HasSubstr("4 s"));
}

TEST(SourceHealth, IncidentsAreWarningsByTheirCode) {
  SourceHealth health;
  Poll reading;
  reading.incidents.push_back({.code = "counter_reset", .error = {.message = "it went back"}});
  reading.incidents.push_back({.code = "counter_jumped", .error = {.message = "it leapt"}});
  health.record_poll(reading, kStart);
  reading.incidents.pop_back();
  health.record_poll(reading, kStart + 1s);
  const auto warnings = health.warnings("rapl");
  EXPECT_THAT(testing::warning_codes(warnings),
              ::testing::ElementsAre("counter_reset", "counter_jumped"));
  EXPECT_EQ(warnings[0].message, "rapl: 2 times; the first: it went back");
  EXPECT_EQ(warnings[1].message, "rapl: it leapt");
  EXPECT_THAT(testing::warning_codes(health.warnings("rapl", kStart + 500ms)),
              ::testing::ElementsAre("counter_reset"));
}

}  // namespace
}  // namespace enprof
