#include "power/sampler/source_trouble_log.hpp"

#include "enprof/base/log.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

class SourceTroubleLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(set_log_file(path_));
    set_log_level(LogLevel::info);
  }
  void TearDown() override { set_log_level(LogLevel::off); }

  [[nodiscard]] std::size_t times(const std::string& text) const {
    const std::string whole = testing::read_file(path_);
    std::size_t count = 0;
    for (auto at = whole.find(text); at != std::string::npos; at = whole.find(text, at + 1)) {
      ++count;
    }
    return count;
  }
  static Poll poll(PollOutcome outcome, ErrorCode code, std::string message) {
    return {.outcome = outcome,
            .error = {.code = code, .message = std::move(message), .hint = {}},
            .incidents = {}};
  }

  testing::TempDir dir_;
  const std::filesystem::path path_ = dir_.path() / "log";
  SourceTroubleLog log_{"rapl"};
};

TEST_F(SourceTroubleLogTest, OfOneKindThereIsALineAMinute) {
  const auto failed = poll(PollOutcome::retry, ErrorCode::io, "cannot be read");
  for (int count = 0; count < 100; ++count) {
    log_.log_poll(failed, kStart + count * 10ms);
  }
  EXPECT_EQ(times("rapl: cannot be read"), 1U);
  log_.log_poll(failed, kStart + LogGate::kPause);
  EXPECT_EQ(times("rapl: cannot be read"), 2U);
}

TEST_F(SourceTroubleLogTest, OneKindDoesNotHideAnother) {
  log_.log_poll(poll(PollOutcome::retry, ErrorCode::io, "cannot be read"), kStart);
  log_.log_poll(poll(PollOutcome::retry, ErrorCode::permission_denied, "may not be read"), kStart);
  log_.log_poll(poll(PollOutcome::gone, ErrorCode::io, "unplugged"), kStart);
  log_.log_return(kStart);
  log_.log_invalid_samples(3, kStart);
  log_.log_rate({.asked_hz = 100, .actual_hz = 50}, kStart);
  log_.log_stall(2s, kStart);
  EXPECT_EQ(times("rapl: cannot be read"), 1U);
  EXPECT_EQ(times("rapl: may not be read"), 1U);
  EXPECT_EQ(times("rapl is lost: unplugged"), 1U);
  EXPECT_EQ(times("rapl is back"), 1U);
  EXPECT_EQ(times("rapl gave invalid windows or readings: 3"), 1U);
  EXPECT_EQ(times("rapl is read 50 times a second instead of 100"), 1U);
  EXPECT_EQ(times("rapl has not answered for 2 s"), 1U);
}

TEST_F(SourceTroubleLogTest, AnIncidentDoesNotHideALossOfTheSameName) {
  Poll both = poll(PollOutcome::gone, ErrorCode::io, "unplugged");
  both.incidents.push_back(
      {.code = "loss", .error = {.code = ErrorCode::io, .message = "an incident", .hint = {}}});
  log_.log_poll(both, kStart);
  EXPECT_EQ(times("rapl: an incident"), 1U);
  EXPECT_EQ(times("rapl is lost"), 1U);
}

TEST_F(SourceTroubleLogTest, ANewSessionIsLoggedFromTheFirstTroubleOn) {
  log_.log_stall(2s, kStart);
  log_.reset();
  log_.log_stall(2s, kStart + 1s);
  EXPECT_EQ(times("has not answered"), 2U);
}

}  // namespace
}  // namespace enprof
