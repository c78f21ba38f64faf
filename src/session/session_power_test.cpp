#include "session/session_power.hpp"

#include "support/fake_procfs.hpp"
#include "support/fake_source.hpp"
#include "support/fake_sysfs.hpp"
#include "support/manual_clock.hpp"
#include "support/unprivileged.hpp"
#include "support/wait_until.hpp"
#include "support/warning_codes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FakeSensor;
using testing::FakeSource;
using ::testing::HasSubstr;

/// Power that a test can permit and forbid.
class SessionPowerTest : public ::testing::Test {
 protected:
  [[nodiscard]] Result<PowerMonitor> open() {
    ++attempts_;
    if (refusal_) {
      return std::unexpected(*refusal_);
    }
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(
        std::make_unique<FakeSource>("fake", std::vector<std::string>{"cpu"}, clock_, sensor_));
    return PowerMonitor(std::move(sources), clock_);
  }
  [[nodiscard]] SessionPower::Options options() {
    return {
        .open = [this] { return open(); },
        .interval = 1h,  // nothing here depends on what the sensor says
        .baseline = [this](PowerMonitor&, const std::stop_token&) -> std::optional<Warning> {
          ++baselines_;
          return baseline_;
        },
        .is_idle = [this] { return idle_.load(); },
        .notify = [this](const std::string& text) { notified_.push_back(text); },
        .on_attempt = [this](const std::optional<Error>& error) { failing_ = error.has_value(); },
        .clock = &clock_};
  }
  void forbid() {
    refusal_ = Error{.code = ErrorCode::permission_denied,
                     .message = "The counters may not be read",
                     .hint = "sudo chmod a+r counters"};
  }
  /// What a session does before each run.
  static SessionPower::ForRun begin_run(SessionPower& power, bool is_new_model = false) {
    EXPECT_TRUE(power.get_ready());
    return power.measure_idle(is_new_model, {});
  }
  static std::vector<std::string> codes(const SessionPower::ForRun& run) {
    return testing::warning_codes(run.warnings);
  }

  testing::ManualClock clock_;
  std::shared_ptr<FakeSensor> sensor_ = std::make_shared<FakeSensor>();
  std::optional<Error> refusal_;
  std::optional<Warning> baseline_;
  std::atomic<bool> idle_{true};
  std::atomic<int> attempts_{0};
  std::atomic<int> baselines_{0};
  std::atomic<bool> failing_{false};
  std::vector<std::string> notified_;
};

TEST_F(SessionPowerTest, WhatWorksIsMeasured) {
  SessionPower power(options());
  ASSERT_TRUE(power.open());
  EXPECT_EQ(power.monitor(), nullptr) << "sensors are not read before they are needed";
  const auto run = begin_run(power, true);
  ASSERT_NE(run.monitor, nullptr);
  EXPECT_EQ(run.monitor, power.monitor());
  EXPECT_TRUE(run.monitor->is_running());
  EXPECT_TRUE(run.warnings.empty());
  EXPECT_EQ(attempts_, 1);
  EXPECT_TRUE(notified_.empty());
  EXPECT_FALSE(failing_);
  power.stop();
  EXPECT_EQ(power.monitor(), nullptr);
}

TEST_F(SessionPowerTest, IdleIsMeasuredOncePerModel) {
  SessionPower power(options());
  ASSERT_TRUE(power.open());
  for (const bool is_new_model : {true, false, false, true, false}) {
    static_cast<void>(begin_run(power, is_new_model));
  }
  EXPECT_EQ(baselines_, 2);
}

TEST_F(SessionPowerTest, AnImpossibleSourceIsAnError) {
  refusal_ = Error{.code = ErrorCode::invalid_argument, .message = "no such source", .hint = {}};
  SessionPower power(options());
  const auto opened = power.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "no such source");
}

TEST_F(SessionPowerTest, RequiredPowerThatFailsIsAnError) {
  auto required = options();
  required.is_required = true;
  sensor_->starts = false;
  SessionPower power(required);
  ASSERT_TRUE(power.open());
  EXPECT_FALSE(power.get_ready());
  forbid();
  SessionPower refused(required);
  EXPECT_FALSE(refused.open());
}

TEST_F(SessionPowerTest, AFileThatCannotBeRecordedToIsAnError) {
  auto recording = options();
  recording.record_to = "/nowhere/power.jsonl";
  SessionPower power(recording);
  ASSERT_TRUE(power.open());
  const auto ready = power.get_ready();
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().message, HasSubstr("/nowhere/power.jsonl"));
}

TEST_F(SessionPowerTest, EachRunSaysWhyItHasNoEnergyAndTheConsoleWhatToDo) {
  forbid();
  SessionPower power(options());
  ASSERT_TRUE(power.open());
  for (int round = 0; round < 3; ++round) {
    const auto run = begin_run(power, true);
    EXPECT_EQ(run.monitor, nullptr);
    ASSERT_THAT(codes(run), ElementsAre("power_failed"));
    EXPECT_EQ(run.warnings[0].message, "The counters may not be read");
    EXPECT_EQ(run.warnings[0].hint, "sudo chmod a+r counters");
  }
  EXPECT_THAT(notified_, ElementsAre(HasSubstr("sudo chmod a+r counters")))
      << "once, not at each attempt";
  EXPECT_TRUE(failing_);
  EXPECT_EQ(baselines_, 0);
}

TEST_F(SessionPowerTest, ItIsRetriedBeforeRunsWithGrowingPauses) {
  forbid();
  SessionPower power(options());
  ASSERT_TRUE(power.open());
  EXPECT_EQ(attempts_, 1);
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    const int before = attempts_;
    clock_.advance(pause - 1ms);
    static_cast<void>(begin_run(power));
    EXPECT_EQ(attempts_, before) << pause.count() << " s";
    clock_.advance(1ms);
    static_cast<void>(begin_run(power));
    EXPECT_EQ(attempts_, before + 1) << pause.count() << " s";
  }
}

TEST_F(SessionPowerTest, ARightThatComesBackIsUsedByTheNextRun) {
  forbid();
  SessionPower power(options());
  ASSERT_TRUE(power.open());
  static_cast<void>(begin_run(power, true));
  refusal_.reset();
  clock_.advance(1s);
  const auto run = begin_run(power);
  ASSERT_NE(run.monitor, nullptr);
  EXPECT_TRUE(run.monitor->is_running());
  EXPECT_TRUE(run.warnings.empty());
  EXPECT_EQ(baselines_, 1) << "with the present sensors";
  EXPECT_FALSE(failing_);
  EXPECT_THAT(notified_.back(), HasSubstr("measured now"));
}

TEST_F(SessionPowerTest, ASourceThatDoesNotStartIsTriedAgainToo) {
  sensor_->starts = false;
  SessionPower power(options());
  ASSERT_TRUE(power.open());
  EXPECT_THAT(codes(begin_run(power)), ElementsAre("power_failed"));
  EXPECT_TRUE(failing_);
  sensor_->starts = true;
  clock_.advance(1s);
  EXPECT_NE(begin_run(power).monitor, nullptr);
}

TEST_F(SessionPowerTest, EachRunSaysThatTheMachineWasNotIdle) {
  baseline_ = Warning{"power", "baseline_refused", "The machine was not idle", ""};
  SessionPower power(options());
  ASSERT_TRUE(power.open());
  EXPECT_THAT(codes(begin_run(power, true)), ElementsAre("baseline_refused"));
  EXPECT_THAT(codes(begin_run(power)), ElementsAre("baseline_refused"));
}

TEST_F(SessionPowerTest, ARefusedBaselineIsMeasuredAgain) {
  baseline_ = Warning{"power", "baseline_refused", "The machine was not idle", ""};
  SessionPower power(options());
  ASSERT_TRUE(power.open());
  static_cast<void>(begin_run(power, true));
  baseline_.reset();
  power.watch();
  clock_.pass(SessionPower::kRefusedAge - SessionPower::kCheckPeriod);
  EXPECT_EQ(baselines_, 1);
  clock_.pass(SessionPower::kCheckPeriod);
  EXPECT_EQ(baselines_, 2);
  EXPECT_THAT(codes(begin_run(power)), ElementsAre());
}

TEST_F(SessionPowerTest, WhileARunIsUnderWayIdleIsNotMeasured) {
  std::atomic<int> looks{0};
  auto busy = options();
  busy.is_idle = [&] {
    ++looks;
    return false;
  };
  SessionPower power(busy);
  ASSERT_TRUE(power.open());
  static_cast<void>(begin_run(power, true));
  power.watch();
  clock_.pass(SessionPower::kAge * 2);
  EXPECT_EQ(looks, SessionPower::kAge * 2 / SessionPower::kCheckPeriod);
  EXPECT_EQ(baselines_, 1);
}

TEST_F(SessionPowerTest, ARunEndsAMeasurementThatIsUnderWay) {
  auto with_baseline = options();
  std::atomic<bool> measuring{false};
  std::atomic<int> calls{0};
  with_baseline.baseline = [&](PowerMonitor&,
                               const std::stop_token& stop) -> std::optional<Warning> {
    if (++calls == 2) {  // the first call is before a run, and the third after it
      measuring = true;
      testing::wait_until("the measurement is to end", [&] { return stop.stop_requested(); });
    }
    return std::nullopt;
  };
  SessionPower power(std::move(with_baseline));
  ASSERT_TRUE(power.open());
  static_cast<void>(begin_run(power, true));
  power.watch();
  clock_.pass(SessionPower::kAge - SessionPower::kCheckPeriod);
  EXPECT_FALSE(measuring);
  clock_.pass_when_awaited(SessionPower::kCheckPeriod);
  testing::wait_until("idle is measured again", [&] { return measuring.load(); });
  idle_ = false;
  EXPECT_NE(begin_run(power).monitor, nullptr);
}

/// `auto` on a machine whose counters may not be read by this user.
class RefusedSensorTest : public SessionPowerTest {
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
  [[nodiscard]] SessionPower::Options options() {
    auto result = SessionPowerTest::options();
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
    return testing::warning_codes(monitor->warnings());
  }

  testing::FakeRapl rapl_;
  testing::FakeProcfs procfs_;
  std::vector<std::string> asked_;
};

TEST_F(RefusedSensorTest, IsReportedWithItsRemedyAndUsedByTheNextRunOnceItMayBeRead) {
  SessionPower power(options());
  PowerMonitor* substitute = nullptr;
  {
    const testing::Unprivileged user;
    if (!testing::Unprivileged::works()) {
      GTEST_SKIP() << "root may read everything, and this process cannot become another user";
    }
    ASSERT_TRUE(power.open());
    ASSERT_TRUE(power.get_ready());
    substitute = power.monitor();
    ASSERT_NE(substitute, nullptr);
    EXPECT_THAT(domains(substitute), ElementsAre("cpu"));
    EXPECT_THAT(warnings(substitute), ElementsAre("sensor_refused"));
    ASSERT_THAT(notified_, ElementsAre(HasSubstr("rapl is not used: ")));
    EXPECT_THAT(notified_[0], HasSubstr("sudo chmod a+r"));
    EXPECT_EQ(begin_run(power).monitor, substitute);
    EXPECT_TRUE(asked_.empty()) << "not before it is due";
    clock_.advance(1s);
    EXPECT_EQ(begin_run(power).monitor, substitute);
    EXPECT_THAT(asked_, ElementsAre("rapl"));
    EXPECT_EQ(attempts_, 1) << "open sensors are not opened again";
    EXPECT_EQ(notified_.size(), 1U);
  }
  allow();
  EXPECT_EQ(begin_run(power).monitor, substitute);
  clock_.advance(2s);
  const auto run = begin_run(power);
  ASSERT_NE(run.monitor, substitute);
  EXPECT_EQ(power.monitor(), run.monitor);
  EXPECT_TRUE(run.monitor->is_running());
  EXPECT_THAT(domains(run.monitor), ElementsAre("package-0"));
  EXPECT_TRUE(warnings(run.monitor).empty());
  EXPECT_TRUE(run.warnings.empty());
  EXPECT_THAT(notified_.back(), HasSubstr("may be read now"));
  EXPECT_FALSE(failing_);
  // A caller may still use the previous monitor.
  EXPECT_FALSE(substitute->is_running());
  EXPECT_THAT(warnings(substitute), ElementsAre("sensor_refused"));
  clock_.advance(1h);
  EXPECT_EQ(begin_run(power).monitor, run.monitor);
  EXPECT_EQ(attempts_, 2);
}

TEST_F(RefusedSensorTest, IsTriedWhileThereIsNoRun) {
  SessionPower power(options());
  {
    const testing::Unprivileged user;
    if (!testing::Unprivileged::works()) {
      GTEST_SKIP() << "root may read everything, and this process cannot become another user";
    }
    ASSERT_TRUE(power.open());
    static_cast<void>(begin_run(power, true));
  }
  EXPECT_EQ(baselines_, 1);
  PowerMonitor* const substitute = power.monitor();
  allow();
  power.watch();
  clock_.pass(1s);
  EXPECT_NE(power.monitor(), substitute);
  const auto run = begin_run(power);
  EXPECT_THAT(domains(run.monitor), ElementsAre("package-0"));
  EXPECT_TRUE(run.warnings.empty());
  EXPECT_EQ(baselines_, 2);
}

}  // namespace
}  // namespace enprof
