#include "power/source_health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::HasSubstr;

Poll poll(PollOutcome outcome, std::string message) {
  return {.outcome = outcome,
          .error = {.code = ErrorCode::io, .message = std::move(message), .hint = "do this"}};
}

TEST(SourceHealth, IsGoodWhereNothingHappened) {
  SourceHealth health;
  health.take({});
  EXPECT_TRUE(health.warnings("rapl").empty());
}

TEST(SourceHealth, ManyFailedReadingsAreOneWarningWithTheirNumber) {
  SourceHealth health;
  health.take(poll(PollOutcome::retry, "first"));
  ASSERT_EQ(health.warnings("rapl").size(), 1U);
  EXPECT_EQ(health.warnings("rapl")[0].message, "rapl: a reading failed: first");
  for (int count = 0; count < 99; ++count) {
    health.take(poll(PollOutcome::retry, "another"));
  }
  const auto warnings = health.warnings("rapl");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].component, "power");
  EXPECT_EQ(warnings[0].code, "sensor_retried");
  EXPECT_EQ(warnings[0].message, "rapl: 100 readings failed; the first: first");
  EXPECT_EQ(warnings[0].hint, "do this");
}

TEST(SourceHealth, EachKindOfTroubleIsAWarning) {
  SourceHealth health;
  health.not_started({.code = ErrorCode::io, .message = "a", .hint = ""});
  health.take(poll(PollOutcome::gone, "b"));
  health.take(poll(PollOutcome::stopped, "c"));
  health.stalled(std::chrono::seconds{2});
  health.refuse_window();
  std::vector<std::string> codes;
  for (const Warning& warning : health.warnings("rapl")) {
    codes.push_back(warning.code);
    EXPECT_THAT(warning.message, HasSubstr("rapl"));
  }
  EXPECT_THAT(codes,
              ::testing::UnorderedElementsAre("sensor_not_started", "sensor_gone", "source_ended",
                                              "sensor_stalled", "invalid_windows"));
}

}  // namespace
}  // namespace enprof
