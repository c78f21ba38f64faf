#include "enprof/power/power_monitor.hpp"

#include "power/recording/replay_file.hpp"
#include "support/fake_procfs.hpp"
#include "support/fake_source.hpp"
#include "support/fake_sysfs.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/unprivileged.hpp"
#include "support/wait_until.hpp"
#include "support/warning_codes.hpp"
#include "support/windows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::FakeSensor;
using testing::FakeSource;
using ::testing::HasSubstr;
using Mode = FakeSensor::Mode;

/// Of this process, by the name that `top -H` shows; never where there is no procfs.
bool is_thread_there(std::string_view name) {
  std::error_code none;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", none)) {
    std::string comm;
    if (std::getline(std::ifstream(task.path() / "comm"), comm) && comm == name) {
      return true;
    }
  }
  return false;
}

class PowerMonitorTest : public ::testing::Test {
 protected:
  PowerMonitor monitor(const std::vector<std::string>& domains, const Clock& clock) {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(std::make_unique<FakeSource>("fake", domains, clock, sensor_));
    return PowerMonitor(std::move(sources), clock, procfs_.root(),
                        &clock == &clock_ ? &sleeper_ : nullptr);
  }
  PowerMonitor monitor(const std::vector<std::string>& domains = {"cpu"}) {
    return monitor(domains, clock_);
  }
  std::vector<EnergyWindow> all(const PowerMonitor& monitor) const {
    return testing::joined(monitor.windows(clock_.now() - 1h, clock_.now() + 1h));
  }

  testing::TempDir dir_;
  testing::FakeProcfs procfs_;  // a machine that does nothing
  testing::ManualClock clock_;
  testing::PassingSleeper sleeper_{clock_};
  std::shared_ptr<FakeSensor> sensor_ = std::make_shared<FakeSensor>();
};

TEST_F(PowerMonitorTest, ReadsByItself) {
  auto fake = monitor();
  ASSERT_TRUE(fake.start(1ms));
  EXPECT_EQ(fake.interval(), 1ms);
  clock_.pass(20ms);
  EXPECT_EQ(sensor_->polls, 20);
  fake.stop();
  EXPECT_EQ(all(fake).size(), 20U);
  EXPECT_DOUBLE_EQ(fake.now().total->value(), 50);
}

TEST_F(PowerMonitorTest, ReadsByItselfInRealTime) {
  auto real = monitor({"cpu"}, monotonic_clock());
  ASSERT_TRUE(real.start(1ms));
  testing::wait_until("it reads", [this] { return sensor_->polls >= 3; });
  real.stop();
  EXPECT_DOUBLE_EQ(real.now().total->value(), 50);
}

TEST_F(PowerMonitorTest, TellsOfItsSources) {
  const auto fake = monitor({"package-0", "dram-0"});
  EXPECT_EQ(fake.sources(), std::vector<std::string>{"fake: a fake"});
  ASSERT_EQ(fake.domains().size(), 2U);
  EXPECT_EQ(fake.domains()[1].name, "dram-0");
  EXPECT_FALSE(fake.is_running());
  EXPECT_FALSE(fake.baseline());
  EXPECT_FALSE(fake.now().total);
}

TEST_F(PowerMonitorTest, AMoveTakesTheRunningThreadAlong) {
  auto first = monitor();
  ASSERT_TRUE(first.start());
  PowerMonitor second(std::move(first));
  EXPECT_FALSE(
      first.is_running());  // NOLINT(bugprone-use-after-move): the one thing it may be asked
  EXPECT_TRUE(second.is_running());
  clock_.advance(10ms);
  second.sync();
  EXPECT_EQ(all(second).size(), 1U);

  const auto other_sensor = std::make_shared<FakeSensor>();
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<FakeSource>("other", std::vector<std::string>{"gpu-0"}, clock_,
                                                 other_sensor));
  PowerMonitor third(std::move(sources), clock_);
  ASSERT_TRUE(third.start());
  third = std::move(second);  // stops what it had
  other_sensor->wait_until_destroyed();
  EXPECT_TRUE(third.is_running());
  EXPECT_EQ(all(third).size(), 1U);
  PowerMonitor& alias = third;
  third = std::move(alias);
  EXPECT_TRUE(third.is_running());
}  // and the destructor stops it

TEST_F(PowerMonitorTest, ForgetsWhatIsAskedOfIt) {
  auto fake = monitor();
  ASSERT_TRUE(fake.start());
  for (int step = 0; step < 3; ++step) {
    clock_.advance(10ms);
    fake.sync();
  }
  fake.forget_before(clock_.now() - 15ms);
  EXPECT_EQ(all(fake).size(), 2U);
  EXPECT_DOUBLE_EQ(fake.now().energy_since_start.value(), 1.5);
}

// ---- the idle baseline -------------------------------------------------------------------------

TEST_F(PowerMonitorTest, MeasuresTheIdleBaseline) {
  auto fake = monitor({"package-0", "core-0", "dram-0"});
  ASSERT_TRUE(fake.start(1ms));
  const auto baseline = fake.measure_idle_baseline(20ms);
  ASSERT_TRUE(baseline) << baseline.error().message;
  ASSERT_TRUE(baseline->total);
  EXPECT_NEAR(baseline->total->power.value(), 100, 1e-6);  // package and memory, not the cores
  EXPECT_EQ(baseline->total->duration, 20ms);
  ASSERT_EQ(baseline->domains.size(), 3U);
  EXPECT_NEAR(baseline->domains[1]->power.value(), 50, 1e-6);
  ASSERT_TRUE(fake.baseline());
  EXPECT_EQ(fake.baseline()->total, baseline->total);
}

TEST_F(PowerMonitorTest, ABaselineCanBeCancelled) {
  auto real = monitor({"cpu"}, monotonic_clock());
  ASSERT_TRUE(real.start(1ms));
  std::stop_source source;
  source.request_stop();
  const auto baseline = real.measure_idle_baseline(1h, source.get_token());
  ASSERT_FALSE(baseline);
  EXPECT_EQ(baseline.error().code, ErrorCode::cancelled);
  EXPECT_FALSE(real.baseline());
}

TEST_F(PowerMonitorTest, ABaselineEndsWithTheMonitor) {
  auto real = monitor({"cpu"}, monotonic_clock());
  ASSERT_TRUE(real.start(1ms));
  std::thread stopper([&] {
    testing::wait_until("it measures", [this] { return sensor_->polls >= 3; });
    real.stop();
  });
  const auto baseline = real.measure_idle_baseline(1h);
  stopper.join();
  ASSERT_FALSE(baseline);
  EXPECT_EQ(baseline.error().code, ErrorCode::not_running);
}

TEST_F(PowerMonitorTest, ABaselineNeedsARunningMonitorASourceAndADuration) {
  auto fake = monitor();
  EXPECT_EQ(fake.measure_idle_baseline(1ms).error().code, ErrorCode::not_running);
  ASSERT_TRUE(fake.start());
  EXPECT_EQ(fake.measure_idle_baseline(0ms).error().code, ErrorCode::invalid_argument);

  PowerMonitor none({});
  ASSERT_TRUE(none.start());
  EXPECT_EQ(none.measure_idle_baseline(1h).error().code, ErrorCode::unavailable);
}

TEST_F(PowerMonitorTest, ABaselineOfASilentSensorIsNoneAndSaysWhy) {
  sensor_->mode = Mode::failing;
  auto fake = monitor();
  ASSERT_TRUE(fake.start());
  const auto baseline = fake.measure_idle_baseline(5ms);
  ASSERT_FALSE(baseline);
  EXPECT_EQ(baseline.error().code, ErrorCode::unavailable);
  EXPECT_THAT(baseline.error().message, HasSubstr("fake does not answer"));
  EXPECT_FALSE(fake.baseline());
}

#if !defined(__APPLE__)

/// Lets the machine work while it is read.
class BusySource final : public PowerSource {
 public:
  BusySource(testing::FakeProcfs& procfs, const Clock& clock, long busy)
      : procfs_(procfs), clock_(clock), busy_(busy) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "busy"; }
  [[nodiscard]] std::string description() const override { return "a fake"; }
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return {&domain_, 1}; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return 1h; }
  [[nodiscard]] Result<void> start() override {
    last_ = clock_.now();
    return {};
  }
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override {
    procfs_.spend(busy_, 100 - busy_);
    const Instant now = clock_.now();
    windows.push_back({.begin = last_, .end = now, .energy = Watts{7} * (now - last_)});
    last_ = now;
    return {};
  }

 private:
  testing::FakeProcfs& procfs_;
  const Clock& clock_;
  long busy_;
  Domain domain_ = domain_from_name("cpu");
  Instant last_;
};

TEST_F(PowerMonitorTest, ABusyMachineHasNoIdleBaselineUnlessItIsForced) {
  const auto busy = [&](long share) {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(std::make_unique<BusySource>(procfs_, clock_, share));
    return PowerMonitor(std::move(sources), clock_, procfs_.root(), &sleeper_);
  };
  auto working = busy(30);
  ASSERT_TRUE(working.start());
  const auto refused = working.measure_idle_baseline(1ms);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::busy);
  EXPECT_THAT(refused.error().message, HasSubstr("30 %"));
  EXPECT_THAT(refused.error().hint, HasSubstr("--baseline-force"));
  EXPECT_FALSE(working.baseline());
  const auto forced = working.measure_idle_baseline(1ms, {}, BusyMachine::measure);
  ASSERT_TRUE(forced) << forced.error().message;
  EXPECT_NEAR(forced->busy_share.value_or(0.0), 0.30, 1e-9);
  EXPECT_NEAR(forced->total->power.value(), 7, 1e-9);

  auto idle = busy(10);
  ASSERT_TRUE(idle.start());
  EXPECT_TRUE(idle.measure_idle_baseline(1ms));
  procfs_.write("stat", "nonsense");  // what cannot be told is no reason to refuse
  EXPECT_TRUE(idle.measure_idle_baseline(1ms));
}

#endif

// ---- recording ---------------------------------------------------------------------------------

TEST_F(PowerMonitorTest, WhatIsRecordedReplaysTheSameEnergy) {
  const auto file = dir_.path() / "power.jsonl";
  auto fake = monitor({"package-0", "core-0"});
  ASSERT_TRUE(fake.record_to(file));
  ASSERT_TRUE(fake.start());
  const Instant start = clock_.now();
  for (const double watts : {10.0, 123.456, 0.0, 77.7}) {
    sensor_->watts = watts;
    clock_.advance(10ms + 1ns);
    fake.sync();
  }
  fake.stop();
  const auto recorded = all(fake);
  ASSERT_EQ(recorded.size(), 8U);

  testing::ManualClock later(48h);
  auto replay = PowerMonitor::open("replay:" + file.string(), {.clock = &later});
  ASSERT_TRUE(replay) << replay.error().message;
  EXPECT_EQ(replay->domains()[1].parent, 0U);
  ASSERT_TRUE(replay->start());
  const Instant replay_start = later.now();
  later.advance(1s);
  replay->stop();
  const auto replayed = testing::joined(replay->windows(replay_start, later.now()));
  ASSERT_EQ(replayed.size(), recorded.size());
  Joules before;
  Joules after;
  for (std::size_t index = 0; index < recorded.size(); ++index) {
    EXPECT_EQ(replayed[index].begin - replay_start, recorded[index].begin - start);
    EXPECT_EQ(replayed[index].end - replay_start, recorded[index].end - start);
    before += recorded[index].energy;
    after += replayed[index].energy;
  }
  EXPECT_NEAR(after.value(), before.value(), 1e-12);
  EXPECT_EQ(replay->warnings().at(0).code, "source_ended");
}

TEST_F(PowerMonitorTest, ARecordingMayBeginLaterAndEndsWithTheSession) {
  const auto file = dir_.path() / "power.jsonl";
  auto fake = monitor();
  ASSERT_TRUE(fake.start());
  clock_.advance(10ms);
  fake.sync();
  ASSERT_TRUE(fake.record_to(file));
  clock_.advance(10ms);
  fake.stop();
  ASSERT_TRUE(fake.start());
  clock_.advance(10ms);
  fake.stop();
  const auto recorded = read_replay_file(file);
  ASSERT_TRUE(recorded) << recorded.error().message;
  ASSERT_EQ(recorded->windows.size(), 1U);
  EXPECT_EQ(recorded->windows[0].begin, 10ms);  // since the monitor's start
}

TEST_F(PowerMonitorTest, ARecordingThatCannotBeginIsAnError) {
  auto fake = monitor();
  const auto result = fake.record_to(dir_.path() / "none" / "power.jsonl");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("none/power.jsonl"));
}

TEST_F(PowerMonitorTest, ARecordingThatFailsEndsAloneAndIsToldOnce) {
  if (!std::filesystem::exists("/dev/full")) {
    GTEST_SKIP() << "this system has no /dev/full";
  }
  auto fake = monitor();
  ASSERT_TRUE(fake.record_to("/dev/full"));
  ASSERT_TRUE(fake.start());
  for (int step = 0; step < 3; ++step) {
    clock_.advance(10ms);
    fake.sync();
  }
  fake.stop();
  EXPECT_EQ(all(fake).size(), 3U);
  const auto warnings = fake.warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, "recording_failed");
  EXPECT_THAT(warnings[0].message, HasSubstr("/dev/full"));
}

// ---- opening -----------------------------------------------------------------------------------

TEST_F(PowerMonitorTest, NoneRunsAndMeasuresNothing) {
  auto none = PowerMonitor::open("none");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->domains().empty());
  EXPECT_TRUE(none->sources().empty());
  ASSERT_TRUE(none->start());
  EXPECT_TRUE(none->is_running());
  none->sync();
  none->stop();
  EXPECT_TRUE(none->warnings().empty());
}

TEST_F(PowerMonitorTest, AnUnknownSourceIsRefused) {
  const auto unknown = PowerMonitor::open("fusion");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(unknown.error().hint, HasSubstr(PowerMonitor::source_names()));
}

#if !defined(__APPLE__)

TEST_F(PowerMonitorTest, DetectsRaplAndLosesItGracefully) {
  testing::FakeRapl rapl;
  const testing::FakeProcfs procfs;
  rapl.add("intel-rapl:0", "package-0");
  rapl.add("intel-rapl:0:0", "dram");
  auto found = PowerMonitor::detect(
      {.sysfs_root = rapl.root(), .procfs_root = procfs.root(), .clock = &clock_});
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(found->start());
  for (int step = 0; step < 10; ++step) {
    rapl.use("intel-rapl:0", 600'000);
    rapl.use("intel-rapl:0:0", 50'000);
    clock_.advance(10ms);
    found->sync();
  }
  rapl.remove_all();
  for (int step = 0; step < 200; ++step) {
    clock_.advance(10ms);
    found->sync();
  }
  EXPECT_TRUE(found->is_running());
  found->stop();
  EXPECT_NEAR(found->now().energy_since_start.value(), 6.5, 1e-6);
  EXPECT_FALSE(found->now().total) << "what it drew long ago is not what it draws now";
  EXPECT_THAT(testing::warning_codes(found->warnings()),
              ::testing::ElementsAre("sensor_retried", "sensor_gone"));
}

TEST_F(PowerMonitorTest, KnowsHowWellItsSensorsAreCalibrated) {
  testing::FakeRapl rapl;
  const testing::FakeProcfs procfs;
  rapl.add("intel-rapl:0", "package-0");
  PowerEnvironment environment{
      .sysfs_root = rapl.root(), .procfs_root = procfs.root(), .clock = &clock_};
  const auto published = PowerMonitor::open("rapl", environment);
  ASSERT_TRUE(published) << published.error().message;
  EXPECT_DOUBLE_EQ(published->domains()[0].relative_uncertainty.value_or(0.0), 0.05);

  environment.relative_uncertainty = {{"", 0.08}, {"rapl", 0.02}};
  const auto compared = PowerMonitor::open("rapl", environment);
  ASSERT_TRUE(compared);
  EXPECT_DOUBLE_EQ(compared->domains()[0].relative_uncertainty.value_or(0.0), 0.02);
  EXPECT_EQ(compared->trusted_domains().domains[0].relative_uncertainty,
            compared->domains()[0].relative_uncertainty);

  environment.relative_uncertainty = {{"", 0.08}};
  const auto any = PowerMonitor::open("rapl", environment);
  ASSERT_TRUE(any);
  EXPECT_DOUBLE_EQ(any->domains()[0].relative_uncertainty.value_or(0.0), 0.08);

  environment.relative_uncertainty = {{"rappl", 0.02}};
  const auto misnamed = PowerMonitor::open("rapl", environment);
  ASSERT_FALSE(misnamed);
  EXPECT_EQ(misnamed.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(misnamed.error().message, HasSubstr("did you mean rapl?"));
  environment.relative_uncertainty = {{"rapl", 1.5}};
  EXPECT_FALSE(PowerMonitor::open("rapl", environment));
}

TEST_F(PowerMonitorTest, IsAvailableWhereASensorMeasures) {
  testing::FakeRapl rapl;
  const PowerEnvironment environment{.sysfs_root = rapl.root(),
                                     .procfs_root = procfs_.root(),
                                     .nvml_library = "/nowhere/libnvidia-ml.so.1"};
  EXPECT_FALSE(PowerMonitor::is_available(environment)) << "an estimate is no sensor";
  rapl.add("intel-rapl:0", "package-0");
  EXPECT_TRUE(PowerMonitor::is_available(environment));
}

TEST_F(PowerMonitorTest, ASensorThatDoesNotAnswerIsNotAvailable) {
  testing::FakeRapl rapl;
  rapl.add("intel-rapl:0", "package-0");
  const auto counter = rapl.energy_path("intel-rapl:0");
  std::filesystem::remove(counter);
  ASSERT_EQ(::mkfifo(counter.c_str(), 0600), 0);  // whoever opens it waits for a writer
  EXPECT_FALSE(PowerMonitor::is_available({.sysfs_root = rapl.root(),
                                           .procfs_root = procfs_.root(),
                                           .nvml_library = "/nowhere/libnvidia-ml.so.1"}));
  const int writer = ::open(counter.c_str(), O_WRONLY | O_CLOEXEC);  // lets it go
  ASSERT_GE(writer, 0);
  ::close(writer);
  // What the C library keeps for a thread that is ending while the process does looks like a leak.
  testing::wait_until("the thread has ended", [] { return !is_thread_there("enprof-survey"); });
}

TEST_F(PowerMonitorTest, ALongRunKeepsItsEnergyInBoundedMemory) {
  auto fake = monitor();
  ASSERT_TRUE(fake.start());
  const Instant start = clock_.now();
  constexpr int kPieces = 1'000;
  constexpr int kMany = 3'000 * kPieces;  // ten times what a store holds
  sensor_->pieces = kPieces;
  for (int step = 0; step < kMany / kPieces; ++step) {
    clock_.advance(kPieces * 10ms);
    fake.sync();
  }
  fake.stop();
  const auto windows = testing::joined(fake.windows(start, clock_.now()));
  EXPECT_LT(windows.size(), 270'000U);
  double joules = 0;
  Instant end = start;
  for (const EnergyWindow& window : windows) {
    ASSERT_EQ(window.begin, end);
    end = window.end;
    joules += window.energy.value();
  }
  EXPECT_EQ(end, clock_.now());
  EXPECT_NEAR(joules, kMany * 0.5, 1e-5);
  EXPECT_DOUBLE_EQ(fake.now().total->value(), 50);
  ASSERT_TRUE(fake.peak());
  EXPECT_NEAR(fake.peak()->power.value(), 50, 1e-9);
}

TEST_F(PowerMonitorTest, WhereItMustEstimateItSaysWhy) {
  const testing::FakeRapl empty;
  const testing::FakeProcfs procfs;
  const auto found = PowerMonitor::detect({.sysfs_root = empty.root(),
                                           .procfs_root = procfs.root(),
                                           .nvml_library = "/nowhere/libnvidia-ml.so.1"});
  ASSERT_TRUE(found) << found.error().message;
  const auto sources = found->sources();
  EXPECT_THAT(sources[0], HasSubstr("estimate: "));
  EXPECT_THAT(sources, ::testing::Contains(HasSubstr("rapl is not used: ")));
  EXPECT_EQ(found->domains()[0].method, Method::estimated);
}

TEST_F(PowerMonitorTest, ASensorThatAutoMayNotReadIsAWarningWithItsRemedy) {
  testing::FakeRapl rapl;
  rapl.add("intel-rapl:0", "package-0");
  const PowerEnvironment environment{.sysfs_root = rapl.root(),
                                     .procfs_root = procfs_.root(),
                                     .nvml_library = "/nowhere/libnvidia-ml.so.1"};
  EXPECT_TRUE(PowerMonitor::detect(environment)->refused_sources().empty());
  rapl.forbid("intel-rapl:0");
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may read everything, and this process cannot become another user";
  }
  const auto found = PowerMonitor::detect(environment);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->refused_sources().size(), 1U) << "that there is no NVML is no refusal";
  const RefusedSource& refused = found->refused_sources()[0];
  EXPECT_EQ(refused.name, "rapl");
  EXPECT_THAT(refused.message, HasSubstr("may not be read by this user"));
  EXPECT_THAT(refused.hint, HasSubstr("sudo chmod a+r"));
  const auto warnings = found->warnings(clock_.now());
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].component, "power");
  EXPECT_EQ(warnings[0].code, "sensor_refused");
  EXPECT_EQ(warnings[0].message, "rapl is not used: " + refused.message);
  EXPECT_EQ(warnings[0].hint, refused.hint);
  EXPECT_TRUE(PowerMonitor::open("estimate", environment)->warnings().empty())
      << "who asks for an estimate is not refused a sensor";
}

TEST_F(PowerMonitorTest, TheSurveyLeavesEverythingAsItIs) {
  testing::FakeRapl rapl;
  rapl.add("intel-rapl:0", "package-0");
  const testing::FakeProcfs procfs;
  const auto survey =
      PowerMonitor::survey({.sysfs_root = rapl.root(), .procfs_root = procfs.root()});
  for (const SourceStatus& source : survey) {
    if (source.name == "rapl" || source.name == "estimate") {
      EXPECT_TRUE(source.works) << source.name << ": " << source.detail;
    }
  }
}

#endif

}  // namespace
}  // namespace enprof
