// Tests what reading a source may cost, in real time, and what is left to the thread that computes.
// power_sampler_test.cpp and power_sampler_faults_test.cpp test the rest of a worker's behaviour.
#include "enprof/power/power_monitor.hpp"

#include "base/thread_time.hpp"
#include "power/counter/border_reader.hpp"
#include "support/manual_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

/// Each poll takes a millisecond of CPU time or more, as the system counts it: that is real. It is
/// far more than any share of a CPU that these tests allow, however fast the machine is.
class CostlySource final : public PowerSource {
 public:
  CostlySource(bool counts_on, std::atomic<int>& polls) : counts_on_(counts_on), polls_(polls) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "costly"; }
  [[nodiscard]] std::string description() const override { return "takes a millisecond"; }
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return 1ms; }
  [[nodiscard]] bool counts_on() const noexcept override { return counts_on_; }
  [[nodiscard]] Result<void> start() override { return {}; }
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& /*windows*/) override {
    const Nanoseconds begin = thread_cpu_time();
    while (thread_cpu_time() - begin < 1ms) {
    }
    ++polls_;
    return {};
  }

 private:
  std::array<Domain, 1> domains_{domain_from_name("package-0")};
  bool counts_on_;
  std::atomic<int>& polls_;
};

struct Outcome {
  int polls = 0;
  std::vector<Warning> warnings;
};

Outcome read_for(Nanoseconds duration, bool counts_on, std::optional<Nanoseconds> interval) {
  testing::ManualClock clock;
  std::atomic<int> polls = 0;
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<CostlySource>(counts_on, polls));
  PowerMonitor monitor(std::move(sources), clock);
  EXPECT_TRUE(monitor.start(interval));
  clock.pass(duration);
  const int count = polls;  // and not the last one, which stop() asks for
  monitor.stop();
  return {.polls = count, .warnings = monitor.warnings()};
}

TEST(SourceWorker, ReadsWhatCountsOnNoMoreOftenThanItsShareOfACpuAllows) {
  const Outcome bounded = read_for(6s, true, std::nullopt);
  EXPECT_EQ(bounded.polls, 6s / (10 * PowerMonitor::kDefaultInterval)) << "the least there is";
  EXPECT_THAT(bounded.warnings, ::testing::IsEmpty()) << "it should be read less often";
}

TEST(SourceWorker, ReadsAsOftenAsAskedWhateverItTakes) {
  const Outcome asked = read_for(1s, true, PowerMonitor::kDefaultInterval);
  EXPECT_EQ(asked.polls, 1s / PowerMonitor::kDefaultInterval);
}

TEST(SourceWorker, ReadsWhatDoesNotCountOnAsOftenAsItCan) {
  const Outcome unbounded = read_for(1s, false, std::nullopt);
  EXPECT_EQ(unbounded.polls, 1s / PowerMonitor::kDefaultInterval);
}

/// A source whose counter another thread reads: so many readings have come each time.
class CollectedSource final : public PowerSource {
 public:
  struct Calls {
    std::atomic<int> polls = 0;
    std::atomic<int> collections = 0;
    std::atomic<std::size_t> readings = 0;
  };
  CollectedSource(const Clock& clock, Calls& calls)
      : reader_(std::make_shared<BorderReader>(
            std::vector<std::shared_ptr<const CounterPoint>>{nullptr}, clock)),
        calls_(calls) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "collected"; }
  [[nodiscard]] std::string description() const override { return "read elsewhere"; }
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return 1ms; }
  [[nodiscard]] Result<void> start() override { return {}; }
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& /*windows*/) override {
    ++calls_.polls;
    return {};
  }
  [[nodiscard]] std::vector<std::shared_ptr<BorderReader>> border_readers() override {
    return {reader_};
  }
  [[nodiscard]] std::size_t collect(Poll& poll, std::vector<EnergyWindow>& /*windows*/) override {
    ++calls_.collections;
    poll.incidents.push_back(
        {.code = "counter_slow",
         .error = {.code = ErrorCode::unavailable, .message = "slow", .hint = {}}});
    return calls_.readings;
  }

 private:
  std::array<Domain, 1> domains_{domain_from_name("package-0")};
  std::shared_ptr<BorderReader> reader_;
  Calls& calls_;
};

class SourceWorkerThatCollects : public ::testing::Test {
 protected:
  SourceWorkerThatCollects() {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(std::make_unique<CollectedSource>(clock_, calls_));
    monitor_.emplace(std::move(sources), clock_);
    EXPECT_EQ(monitor_->border_readers().size(), 1U);
    EXPECT_TRUE(monitor_->start());
  }

  testing::ManualClock clock_;
  CollectedSource::Calls calls_;
  std::optional<PowerMonitor> monitor_;
};

TEST_F(SourceWorkerThatCollects, WakesUpTenTimesASecondWhereAnotherThreadReads) {
  calls_.readings = 50;
  clock_.pass(10s);
  EXPECT_NEAR(calls_.collections, 100, 2);
  EXPECT_EQ(calls_.polls, 0);
  for (const Warning& warning : monitor_->warnings()) {
    EXPECT_NE(warning.code, "rate_deviation") << warning.message;
  }
}

TEST_F(SourceWorkerThatCollects, ReadsTheSensorWhereTooFewReadingsCame) {
  calls_.readings = 0;
  clock_.pass(1s);
  EXPECT_EQ(calls_.polls, 100);
  calls_.readings = 2;
  clock_.pass(200ms);
  calls_.polls = 0;
  clock_.pass(2s);
  EXPECT_GT(calls_.polls, 10) << "two readings are too few for 100 ms";
}

TEST_F(SourceWorkerThatCollects, ReadsTheSensorWhereACallerWantsAnEdge) {
  calls_.readings = 50;
  clock_.pass(1s);
  monitor_->sync();
  EXPECT_EQ(calls_.polls, 1);
  monitor_->stop();
  EXPECT_EQ(calls_.polls, 2);
}

TEST_F(SourceWorkerThatCollects, WhatACollectionReportsIsAWarningAlsoWhereAPollFollows) {
  calls_.readings = 0;
  clock_.pass(100ms);
  EXPECT_THAT(monitor_->warnings(),
              ::testing::Contains(::testing::Field(&Warning::code, "counter_slow")));
}

}  // namespace
}  // namespace enprof
