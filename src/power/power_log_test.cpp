// Tests what is logged about sources, and how often.
#include "enprof/base/log.hpp"

#include "support/power_sampler_fixture.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

/// Each poll returns the next of a test's problems.
class TroubledSource final : public PowerSource {
 public:
  explicit TroubledSource(std::vector<Poll> polls) : polls_(std::move(polls)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "troubled"; }
  [[nodiscard]] std::string description() const override { return "a fake"; }
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return 100ms; }
  [[nodiscard]] Nanoseconds longest_interval() const noexcept override { return 100ms; }
  [[nodiscard]] Result<void> start() override { return {}; }
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& /*windows*/) override {
    return next_ < polls_.size() ? polls_[next_++] : Poll{};
  }

 private:
  std::array<Domain, 1> domains_{domain_from_name("soc")};
  std::vector<Poll> polls_;
  std::size_t next_ = 0;
};

class PowerLogTest : public testing::PowerSamplerTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(set_log_file(path_));
    set_log_level(LogLevel::info);
  }
  void TearDown() override {
    PowerSamplerTest::TearDown();
    set_log_level(LogLevel::off);
  }
  [[nodiscard]] std::string log() const { return testing::read_file(path_); }
  [[nodiscard]] std::size_t times(const std::string& text) const {
    const std::string whole = log();
    std::size_t count = 0;
    for (auto at = whole.find(text); at != std::string::npos; at = whole.find(text, at + 1)) {
      ++count;
    }
    return count;
  }
  static Poll retry(ErrorCode code, std::string message) {
    return {.outcome = PollOutcome::retry,
            .error = {.code = code, .message = std::move(message), .hint = {}},
            .incidents = {}};
  }
  static Poll incident(std::string code, std::string message) {
    return {.outcome = PollOutcome::ok,
            .error = {},
            .incidents = {
                {.code = std::move(code),
                 .error = {
                     .code = ErrorCode::unavailable, .message = std::move(message), .hint = {}}}}};
  }
  /// Starts a sampler and polls as often as there are outcomes.
  void poll(const std::vector<Poll>& polls) {
    sources_.push_back(std::make_unique<TroubledSource>(polls));
    const auto sampler = make();
    ASSERT_TRUE(sampler->start(std::nullopt));
    for (std::size_t count = 0; count < polls.size(); ++count) {
      sampler->sync();
    }
    sampler->stop();
  }

  testing::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "enprof.log";
};

TEST_F(PowerLogTest, AnIncidentOfAnotherKindIsToldAtOnce) {
  poll({incident("counter_reset", "it was reset"), incident("counter_reset", "it was reset"),
        incident("counter_jumped", "it jumped"), incident("counter_reset", "it was reset")});
  EXPECT_EQ(times("it was reset"), 1U);
  EXPECT_EQ(times("it jumped"), 1U);
}

TEST_F(PowerLogTest, AReadingThatFailsForAnotherReasonIsToldAtOnce) {
  poll({retry(ErrorCode::unavailable, "it is silent"),
        retry(ErrorCode::unavailable, "it is silent"),
        retry(ErrorCode::process_exited, "it has ended")});
  EXPECT_EQ(times("it is silent"), 1U);
  EXPECT_EQ(times("it has ended"), 1U);
}

TEST_F(PowerLogTest, TheIntervalIsTheSourcesOwn) {
  poll({});
  EXPECT_THAT(log(), HasSubstr("PowerMonitor started successfully with 100ms sampling interval\n"));
}

TEST_F(PowerLogTest, WhereSourcesDifferEachIsSaid) {
  sources_.push_back(std::make_unique<TroubledSource>(std::vector<Poll>{}));
  add("fake", {"gpu-0"});
  const auto sampler = make();
  ASSERT_TRUE(sampler->start(std::nullopt));
  EXPECT_EQ(sampler->interval(), 10ms);
  EXPECT_THAT(log(), HasSubstr("PowerMonitor started successfully with 10ms sampling interval: "
                               "troubled every 100ms, fake every 10ms\n"));
}

TEST_F(PowerLogTest, WithoutASourceThereIsNoInterval) {
  const auto sampler = make();
  ASSERT_TRUE(sampler->start(std::nullopt));
  EXPECT_THAT(log(), Not(HasSubstr("PowerMonitor")));
}

}  // namespace
}  // namespace enprof
