#include "power/estimate/estimate_source.hpp"

#include "support/fake_procfs.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace enprof {
namespace {

#if !defined(__APPLE__)

using namespace std::chrono_literals;
using testing::FakeProcfs;

/// Two CPUs, 20 W idle and 100 W at full load, of a machine whose ticks are 10 ms.
class EstimateSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = EstimateSource::open(
        {.procfs_root = procfs_.root(), .tdp = Watts{100}, .idle = Watts{20}, .clock = &clock_});
    ASSERT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    ASSERT_TRUE(source_->start());
  }

  /// The energy that a poll adds after time has passed and ticks were counted; the rest of both
  /// CPUs' time was idle.
  Joules poll_after(Nanoseconds duration, long busy_ticks) {
    clock_.advance(duration);
    cpu_time_ += 2 * duration;
    const long idle_ticks = std::max(cpu_time_ / CpuTimes::tick() - busy_ticks, 0L);
    cpu_time_ -= std::min<Nanoseconds>(cpu_time_, (busy_ticks + idle_ticks) * CpuTimes::tick());
    procfs_.spend(busy_ticks, idle_ticks);
    const std::size_t before = windows_.size();
    EXPECT_EQ(source_->poll(windows_).outcome, PollOutcome::ok);
    EXPECT_EQ(windows_.size(), before + 1);
    return windows_.size() > before ? windows_.back().energy : Joules{-1};
  }
  double total() const {
    double sum = 0;
    for (const EnergyWindow& window : windows_) {
      sum += window.energy.value();
    }
    return sum;
  }

  FakeProcfs procfs_{2};
  testing::ManualClock clock_;
  std::unique_ptr<EstimateSource> source_;
  std::vector<EnergyWindow> windows_;
  Nanoseconds cpu_time_{0};  // that passed and is not in a tick yet
};

TEST_F(EstimateSourceTest, PowerFollowsUtilization) {
  EXPECT_DOUBLE_EQ(poll_after(100ms, 0).value(), 2.0);    // idle: 20 W
  EXPECT_DOUBLE_EQ(poll_after(100ms, 10).value(), 6.0);   // one CPU of two: 60 W
  EXPECT_DOUBLE_EQ(poll_after(100ms, 20).value(), 10.0);  // both: 100 W
  EXPECT_DOUBLE_EQ(poll_after(200ms, 10).value(), 8.0);   // a quarter: 40 W
}

TEST_F(EstimateSourceTest, WindowsFollowEachOtherWithoutGaps) {
  const Instant start = clock_.now();
  poll_after(100ms, 3);
  poll_after(17ms, 0);
  poll_after(100ms, 5);
  EXPECT_EQ(windows_[0].begin, start);
  EXPECT_EQ(windows_[1].begin, windows_[0].end);
  EXPECT_EQ(windows_[2].begin, windows_[1].end);
  EXPECT_EQ(windows_[2].end, clock_.now());
}

TEST_F(EstimateSourceTest, TicksThatDoNotFitCountForTheNextWindow) {
  EXPECT_DOUBLE_EQ(poll_after(1ms, 2).value(),
                   0.1);  // 20 ms of work in 2 ms of CPU time: full load
  poll_after(99ms, 0);
  EXPECT_DOUBLE_EQ(total(), 2.0 + 0.8);  // idle for 100 ms, and two ticks of (100 − 20) / 2 W
}

TEST_F(EstimateSourceTest, TheSumDoesNotDependOnHowPollsCutIt) {
  for (int step = 0; step < 100; ++step) {
    poll_after(7ms, step % 2);
  }
  EXPECT_NEAR(total(), 20 * 0.7 + 50 * 0.01 * 40, 1e-9);
}

TEST_F(EstimateSourceTest, NothingIsCountedTwiceOrLostAtTheSameInstant) {
  procfs_.spend(1, 0);
  EXPECT_EQ(source_->poll(windows_).outcome, PollOutcome::ok);
  EXPECT_TRUE(windows_.empty());
  EXPECT_DOUBLE_EQ(poll_after(100ms, 0).value(), 2.0 + 0.4);
}

TEST_F(EstimateSourceTest, AFailedReadingIsBridged) {
  const Instant start = clock_.now();
  procfs_.write("stat", "");
  clock_.advance(100ms);
  const Poll failed = source_->poll(windows_);
  EXPECT_EQ(failed.outcome, PollOutcome::retry);
  EXPECT_NE(failed.error.message.find(procfs_.stat_path().string()), std::string::npos);
  EXPECT_TRUE(windows_.empty());
  EXPECT_DOUBLE_EQ(poll_after(100ms, 20).value(), 4.0 + 8.0);
  EXPECT_EQ(windows_[0].begin, start);
}

TEST_F(EstimateSourceTest, TimesThatGoBackwardsAreAGap) {
  clock_.advance(100ms);
  procfs_.spend(-500, 0);
  EXPECT_EQ(source_->poll(windows_).outcome, PollOutcome::retry);
  EXPECT_TRUE(windows_.empty());
  const Instant mended = clock_.now();
  EXPECT_DOUBLE_EQ(poll_after(100ms, 0).value(), 2.0);
  EXPECT_EQ(windows_[0].begin, mended);
}

TEST_F(EstimateSourceTest, TimesThatNeverMoveAreNoIdleMachine) {
  for (int poll = 0; poll < 10; ++poll) {
    clock_.advance(100ms);
    const Poll frozen = source_->poll(windows_);
    EXPECT_EQ(frozen.outcome, poll == 0 ? PollOutcome::ok : PollOutcome::retry) << poll;
    if (poll > 0) {
      EXPECT_NE(frozen.error.message.find(procfs_.stat_path().string()), std::string::npos);
      EXPECT_NE(frozen.error.hint.find("--power none"), std::string::npos);
    }
  }
  EXPECT_TRUE(windows_.empty());
}

TEST_F(EstimateSourceTest, TheFirstWindowWaitsForATick) {
  const Instant start = clock_.now();
  clock_.advance(3ms);
  EXPECT_EQ(source_->poll(windows_).outcome, PollOutcome::ok);
  EXPECT_TRUE(windows_.empty());
  EXPECT_DOUBLE_EQ(poll_after(97ms, 0).value(), 2.0);
  EXPECT_EQ(windows_[0].begin, start);
}

TEST_F(EstimateSourceTest, TimeInWhichTheyStandStillIsAGap) {
  poll_after(100ms, 10);
  clock_.advance(100ms);  // a tick may be late
  EXPECT_EQ(source_->poll(windows_).outcome, PollOutcome::ok);
  ASSERT_EQ(windows_.size(), 2U);
  for (int poll = 0; poll < 5; ++poll) {
    clock_.advance(100ms);
    EXPECT_EQ(source_->poll(windows_).outcome, PollOutcome::retry);
  }
  ASSERT_EQ(windows_.size(), 2U);
  const Instant mended = clock_.now();
  EXPECT_DOUBLE_EQ(poll_after(100ms, 10).value(), 6.0);
  EXPECT_EQ(windows_[2].begin, mended);
}

TEST_F(EstimateSourceTest, StartingAnewForgetsWhatWas) {
  poll_after(1ms, 4);
  clock_.advance(1h);
  procfs_.spend(1000, 0);
  ASSERT_TRUE(source_->start());
  EXPECT_DOUBLE_EQ(poll_after(100ms, 0).value(), 2.0);
}

TEST_F(EstimateSourceTest, SaysThatItIsAnEstimateAndOfWhat) {
  ASSERT_EQ(source_->domains().size(), 1U);
  const Domain& domain = source_->domains()[0];
  EXPECT_EQ(domain.name, "cpu");
  EXPECT_EQ(domain.kind, DomainKind::cpu);
  EXPECT_EQ(domain.method, Method::estimated);
  EXPECT_EQ(domain.source, "estimate");
  EXPECT_NE(source_->description().find("100 W at full load, 20 W idle"), std::string::npos);
  EXPECT_NE(source_->description().find("not a measurement"), std::string::npos);
}

TEST(EstimateSource, LooksTheCpuUpByItsName) {
  const FakeProcfs procfs(2, FakeProcfs::x86("AMD EPYC 9554 64-Core Processor", 2, 1, true));
  const auto source = EstimateSource::open({.procfs_root = procfs.root()});
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ((*source)->description(),
            "2 of 128 CPUs of AMD EPYC 9554 64-Core Processor, rated 360 W: 5.625 W at full load, "
            "1.125 W idle, by CPU utilization; not a measurement");
}

TEST(EstimateSource, SaysWhyItCannotEstimate) {
  const testing::TempDir empty;
  const auto missing = EstimateSource::open({.procfs_root = empty.path()});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_NE(missing.error().message.find((empty.path() / "stat").string()), std::string::npos);
  EXPECT_NE(missing.error().hint.find("--power none"), std::string::npos);

  const FakeProcfs hidden;
  hidden.write("stat", "cpu 0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0\n");
  const auto zeros = EstimateSource::open({.procfs_root = hidden.root()});
  ASSERT_FALSE(zeros);
  EXPECT_EQ(zeros.error().code, ErrorCode::unavailable);

  const FakeProcfs procfs;
  const auto absurd =
      EstimateSource::open({.procfs_root = procfs.root(), .tdp = Watts{10}, .idle = Watts{11}});
  ASSERT_FALSE(absurd);
  EXPECT_EQ(absurd.error().code, ErrorCode::invalid_argument);
}

#endif

}  // namespace
}  // namespace enprof
