#include "server/server_power.hpp"

#include "support/fake_procfs.hpp"
#include "support/fake_source.hpp"
#include "support/fake_sysfs.hpp"
#include "support/manual_clock.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FakeSensor;
using testing::FakeSource;
using ::testing::HasSubstr;

/// Power whose right a test gives and takes.
class ServerPowerTest : public ::testing::Test {
 protected:
  [[nodiscard]] Result<PowerMonitor> open() {
    ++attempts_;
    if (refusal_) {
      return std::unexpected(*refusal_);
    }
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(std::make_unique<FakeSource>("fake", std::vector<std::string>{"cpu"},
                                                   monotonic_clock(), sensor_));
    return PowerMonitor(std::move(sources));
  }
  [[nodiscard]] ServerPower::Options options() {
    return {.open = [this] { return open(); },
            .baseline = [this](PowerMonitor&, const std::atomic<bool>&) -> std::optional<Warning> {
              ++baselines_;
              return baseline_;
            },
            .is_idle = [this] { return idle_.load(); },
            .tell = [this](const std::string& text) { told_.push_back(text); },
            .clock = &clock_};
  }
  void forbid() {
    refusal_ = Error{.code = ErrorCode::permission_denied,
                     .message = "The counters may not be read",
                     .hint = "sudo chmod a+r counters"};
  }
  static std::vector<std::string> codes(const ServerPower::ForRun& run) {
    std::vector<std::string> result;
    for (const Warning& warning : run.warnings) {
      result.push_back(warning.code);
    }
    return result;
  }
  [[nodiscard]] bool is_failing() const {
    const auto components = health_.components();
    return !components.empty() && components.front().error.has_value();
  }
  template <class Condition>
  static void wait_until(Condition condition) {
    while (!condition()) {
      std::this_thread::sleep_for(1ms);
    }
  }

  testing::ManualClock clock_;
  std::shared_ptr<FakeSensor> sensor_ = std::make_shared<FakeSensor>();
  std::optional<Error> refusal_;
  std::optional<Warning> baseline_;
  std::atomic<bool> idle_{true};
  std::atomic<int> attempts_{0};
  std::atomic<int> baselines_{0};
  std::vector<std::string> told_;
  std::atomic<bool> cancel_{false};
  ServerHealth health_;
};

TEST_F(ServerPowerTest, WhatWorksIsMeasured) {
  ServerPower power(options(), health_);
  ASSERT_TRUE(power.open());
  power.start(cancel_);
  ASSERT_NE(power.monitor(), nullptr);
  EXPECT_TRUE(power.monitor()->is_running());
  const auto run = power.run_begins();
  EXPECT_EQ(run.monitor, power.monitor());
  EXPECT_TRUE(run.warnings.empty());
  EXPECT_EQ(attempts_, 1);
  EXPECT_EQ(baselines_, 1);
  EXPECT_TRUE(told_.empty());
  EXPECT_FALSE(is_failing());
  power.stop();
  EXPECT_EQ(power.monitor(), nullptr);
}

TEST_F(ServerPowerTest, WhatCannotBeIsAnErrorOfItsStart) {
  refusal_ = Error{.code = ErrorCode::invalid_argument, .message = "no such source", .hint = {}};
  ServerPower power(options(), health_);
  const auto opened = power.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "no such source");
}

TEST_F(ServerPowerTest, EachRunSaysWhyItHasNoEnergyAndTheConsoleWhatToDo) {
  forbid();
  ServerPower power(options(), health_);
  ASSERT_TRUE(power.open());
  power.start(cancel_);
  EXPECT_EQ(power.monitor(), nullptr);
  for (int round = 0; round < 3; ++round) {
    const auto run = power.run_begins();
    EXPECT_EQ(run.monitor, nullptr);
    ASSERT_THAT(codes(run), ElementsAre("power_failed"));
    EXPECT_EQ(run.warnings[0].message, "The counters may not be read");
    EXPECT_EQ(run.warnings[0].hint, "sudo chmod a+r counters");
  }
  EXPECT_THAT(told_, ElementsAre(HasSubstr("sudo chmod a+r counters"))) << "once, not at each try";
  EXPECT_TRUE(is_failing());
  EXPECT_EQ(baselines_, 0);
}

TEST_F(ServerPowerTest, ItIsTriedAgainBeforeARunEverMoreRarely) {
  forbid();
  ServerPower power(options(), health_);
  ASSERT_TRUE(power.open());
  power.start(cancel_);
  EXPECT_EQ(attempts_, 1);
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    const int before = attempts_;
    clock_.advance(pause - 1ms);
    static_cast<void>(power.run_begins());
    EXPECT_EQ(attempts_, before) << pause.count() << " s";
    clock_.advance(1ms);
    static_cast<void>(power.run_begins());
    EXPECT_EQ(attempts_, before + 1) << pause.count() << " s";
  }
}

TEST_F(ServerPowerTest, ARightThatComesBackIsUsedByTheNextRun) {
  forbid();
  ServerPower power(options(), health_);
  ASSERT_TRUE(power.open());
  power.start(cancel_);
  refusal_.reset();
  clock_.advance(1s);
  const auto run = power.run_begins();
  ASSERT_NE(run.monitor, nullptr);
  EXPECT_TRUE(run.monitor->is_running());
  EXPECT_THAT(codes(run), ElementsAre("baseline_failed")) << "no time for a baseline before a run";
  EXPECT_FALSE(is_failing());
  EXPECT_THAT(told_.back(), HasSubstr("measured now"));
}

TEST_F(ServerPowerTest, WhileThereIsNoRunItIsTriedAgainAndTheBaselineMeasured) {
  forbid();
  idle_ = false;
  ServerPower power(options(), health_);
  ASSERT_TRUE(power.open());
  power.start(cancel_);
  refusal_.reset();
  clock_.advance(1s);
  power.watch();
  idle_ = true;
  wait_until([&] { return baselines_ == 1; });
  const auto run = power.run_begins();
  EXPECT_NE(run.monitor, nullptr);
  EXPECT_TRUE(run.warnings.empty());
}

TEST_F(ServerPowerTest, ASourceThatDoesNotStartIsTriedAgainToo) {
  sensor_->starts = false;
  ServerPower power(options(), health_);
  ASSERT_TRUE(power.open());
  power.start(cancel_);
  EXPECT_THAT(codes(power.run_begins()), ElementsAre("power_failed"));
  EXPECT_TRUE(is_failing());
  sensor_->starts = true;
  clock_.advance(1s);
  EXPECT_NE(power.run_begins().monitor, nullptr);
}

TEST_F(ServerPowerTest, ARunEndsABaselineThatIsUnderWay) {
  forbid();
  auto with_baseline = options();
  std::atomic<bool> measuring{false};
  with_baseline.baseline = [&](PowerMonitor&,
                               const std::atomic<bool>& cancel) -> std::optional<Warning> {
    measuring = true;
    wait_until([&] { return cancel.load(); });
    return std::nullopt;
  };
  ServerPower power(std::move(with_baseline), health_);
  ASSERT_TRUE(power.open());
  power.start(cancel_);
  refusal_.reset();
  clock_.advance(1s);
  power.watch();
  wait_until([&] { return measuring.load(); });
  idle_ = false;
  EXPECT_THAT(codes(power.run_begins()), ElementsAre("baseline_failed"));
}

TEST_F(ServerPowerTest, AMachineThatWasNotIdleIsSaidByEachRun) {
  baseline_ = Warning{"power", "baseline_refused", "The machine was not idle", ""};
  ServerPower power(options(), health_);
  ASSERT_TRUE(power.open());
  power.start(cancel_);
  EXPECT_THAT(codes(power.run_begins()), ElementsAre("baseline_refused"));
  EXPECT_THAT(codes(power.run_begins()), ElementsAre("baseline_refused"));
}

/// `auto` on a machine whose counters may not be read by this user.
class RefusedSensorTest : public ServerPowerTest {
 protected:
  RefusedSensorTest() {
    rapl_.add("intel-rapl:0", "package-0");
    rapl_.forbid("intel-rapl:0");
  }
  [[nodiscard]] PowerEnvironment environment() const {
    return {.sysfs_root = rapl_.root(),
            .procfs_root = procfs_.root(),
            .nvml_library = "/nowhere/libnvidia-ml.so.1"};
  }
  [[nodiscard]] ServerPower::Options options() {
    auto result = ServerPowerTest::options();
    result.open = [this] {
      ++attempts_;
      return PowerMonitor::open("auto", environment());
    };
    result.can_open = [this](const std::string& source) {
      asked_.push_back(source);
      return PowerMonitor::open(source, environment()).has_value();
    };
    return result;
  }
  void allow() const {
    std::filesystem::permissions(rapl_.energy_path("intel-rapl:0"), std::filesystem::perms(0644));
  }
  static std::vector<std::string> domains(const PowerMonitor* monitor) {
    std::vector<std::string> result;
    for (const Domain& domain : monitor->domains()) {
      result.push_back(domain.name);
    }
    return result;
  }
  static std::vector<std::string> warnings(const PowerMonitor* monitor) {
    std::vector<std::string> result;
    for (const Warning& warning : monitor->warnings()) {
      result.push_back(warning.code);
    }
    return result;
  }

  testing::FakeRapl rapl_;
  testing::FakeProcfs procfs_;
  std::vector<std::string> asked_;
};

TEST_F(RefusedSensorTest, IsToldOfWithItsRemedyAndUsedByTheNextRunOnceItMayBeRead) {
  ServerPower power(options(), health_);
  PowerMonitor* substitute = nullptr;
  {
    const testing::Unprivileged user;
    if (!testing::Unprivileged::works()) {
      GTEST_SKIP() << "root may read everything, and this process cannot become another user";
    }
    ASSERT_TRUE(power.open());
    power.start(cancel_);
    substitute = power.monitor();
    ASSERT_NE(substitute, nullptr);
    EXPECT_THAT(domains(substitute), ElementsAre("cpu"));
    EXPECT_THAT(warnings(substitute), ElementsAre("sensor_refused"));
    ASSERT_THAT(told_, ElementsAre(HasSubstr("rapl is not used: ")));
    EXPECT_THAT(told_[0], HasSubstr("sudo chmod a+r"));
    EXPECT_EQ(power.run_begins().monitor, substitute);
    EXPECT_TRUE(asked_.empty()) << "not before its time";
    clock_.advance(1s);
    EXPECT_EQ(power.run_begins().monitor, substitute);
    EXPECT_THAT(asked_, ElementsAre("rapl"));
    EXPECT_EQ(attempts_, 1) << "what is open is left alone";
    EXPECT_EQ(told_.size(), 1U);
  }
  allow();
  EXPECT_EQ(power.run_begins().monitor, substitute);
  clock_.advance(2s);
  const auto run = power.run_begins();
  ASSERT_NE(run.monitor, substitute);
  EXPECT_EQ(power.monitor(), run.monitor);
  EXPECT_TRUE(run.monitor->is_running());
  EXPECT_THAT(domains(run.monitor), ElementsAre("package-0"));
  EXPECT_TRUE(warnings(run.monitor).empty());
  EXPECT_THAT(codes(run), ElementsAre("baseline_failed")) << "no time for a baseline before a run";
  EXPECT_THAT(told_.back(), HasSubstr("may be read now"));
  EXPECT_FALSE(is_failing());
  // Who still has the one before may look at it.
  EXPECT_FALSE(substitute->is_running());
  EXPECT_THAT(warnings(substitute), ElementsAre("sensor_refused"));
  clock_.advance(1h);
  EXPECT_EQ(power.run_begins().monitor, run.monitor);
  EXPECT_EQ(attempts_, 2);
}

TEST_F(RefusedSensorTest, IsTriedWhileThereIsNoRunAndTheBaselineMeasuredWithIt) {
  ServerPower power(options(), health_);
  {
    const testing::Unprivileged user;
    if (!testing::Unprivileged::works()) {
      GTEST_SKIP() << "root may read everything, and this process cannot become another user";
    }
    ASSERT_TRUE(power.open());
    power.start(cancel_);
  }
  EXPECT_EQ(baselines_, 1);
  allow();
  clock_.advance(1s);
  power.watch();
  wait_until([&] { return baselines_ == 2; });
  const auto run = power.run_begins();
  EXPECT_THAT(domains(run.monitor), ElementsAre("package-0"));
  EXPECT_TRUE(run.warnings.empty());
}

}  // namespace
}  // namespace enprof
