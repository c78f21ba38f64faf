#include "power/replay/replay_source.hpp"

#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

std::string line(const std::string& domain, int begin_ms, int end_ms, int energy_mj) {
  return R"({"domain":")" + domain + R"(","begin_ms":)" + std::to_string(begin_ms) +
         R"(,"end_ms":)" + std::to_string(end_ms) + R"(,"energy_mj":)" + std::to_string(energy_mj) +
         "}\n";
}

class ReplaySourceTest : public ::testing::Test {
 protected:
  void open(std::string_view text) {
    auto opened = ReplaySource::open(dir_.write("power.jsonl", text), clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    ASSERT_TRUE(source_->start());
  }
  Poll poll() {
    windows_.clear();
    return source_->poll(windows_);
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  std::unique_ptr<ReplaySource> source_;
  std::vector<EnergyWindow> windows_;
};

TEST_F(ReplaySourceTest, HandsOutEachWindowOnceItHasBegun) {
  open(line("cpu", 0, 100, 5000) + line("cpu", 100, 200, 6000) + line("cpu", 300, 400, 7000));
  const Instant start = clock_.now();
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
  ASSERT_EQ(windows_.size(), 1U);
  EXPECT_EQ(windows_[0],
            (EnergyWindow{.domain = 0, .begin = start, .end = start + 100ms, .energy = Joules{5}}));
  clock_.advance(99ms);
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
  EXPECT_TRUE(windows_.empty());
  clock_.advance(1ms);
  poll();
  ASSERT_EQ(windows_.size(), 1U);
  EXPECT_DOUBLE_EQ(windows_[0].energy.value(), 6.0);
  clock_.advance(299ms);
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
  ASSERT_EQ(windows_.size(), 1U);
  EXPECT_EQ(windows_[0].begin, start + 300ms);
}

TEST_F(ReplaySourceTest, EndsWithItsLastWindow) {
  open(line("cpu", 0, 100, 5000) + line("dram", 0, 250, 1));
  clock_.advance(249ms);
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
  clock_.advance(1ms);
  const Poll last = poll();
  EXPECT_EQ(last.outcome, PollOutcome::stopped);
  EXPECT_NE(last.error.message.find("power.jsonl ended after 0.25 s"), std::string::npos);
}

TEST_F(ReplaySourceTest, ALatePollMissesNothing) {
  open(line("cpu", 0, 100, 5000) + line("cpu", 100, 200, 6000));
  clock_.advance(1h);
  EXPECT_EQ(poll().outcome, PollOutcome::stopped);
  EXPECT_EQ(windows_.size(), 2U);
}

TEST_F(ReplaySourceTest, ConstantPowerStaysConstant) {
  std::string text;
  for (int begin = 0; begin < 10'000; begin += 20) {
    text += line("cpu", begin, begin + 20, 1000);  // 50 W
  }
  open(text);
  std::vector<EnergyWindow> all;
  for (int step = 0; step < 700; ++step) {
    static_cast<void>(source_->poll(all));
    clock_.advance(13ms);
  }
  ASSERT_GT(all.size(), 450U);
  Joules sum;
  for (std::size_t index = 0; index < all.size(); ++index) {
    sum += all[index].energy;
    EXPECT_DOUBLE_EQ((all[index].energy / all[index].duration()).value(), 50.0);
    if (index > 0) {
      EXPECT_EQ(all[index].begin, all[index - 1].end);
    }
  }
  EXPECT_NEAR(sum.value(), (Watts{50} * (all.back().end - all.front().begin)).value(), 1e-9);
}

TEST_F(ReplaySourceTest, BeginsAnewWhenStartedAgain) {
  open(line("cpu", 0, 100, 5000));
  clock_.advance(1s);
  EXPECT_EQ(poll().outcome, PollOutcome::stopped);
  ASSERT_TRUE(source_->start());
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
  ASSERT_EQ(windows_.size(), 1U);
  EXPECT_EQ(windows_[0].begin, clock_.now());
}

TEST_F(ReplaySourceTest, SaysWhatItPlays) {
  open(line("cpu", 0, 100, 5000) + line("cpu", 100, 1500, 1));
  EXPECT_EQ(source_->name(), "replay");
  EXPECT_EQ(source_->description(),
            "2 sensor readings over 1.5 s from " + (dir_.path() / "power.jsonl").string());
}

TEST_F(ReplaySourceTest, AFileThatIsWrongDoesNotOpen) {
  const auto opened = ReplaySource::open(dir_.write("bad.jsonl", line("cpu", 0, 0, 1)), clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::malformed);
  EXPECT_NE(opened.error().message.find("bad.jsonl, line 1"), std::string::npos);
}

}  // namespace
}  // namespace enprof
