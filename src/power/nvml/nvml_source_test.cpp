#include "power/nvml/nvml_source.hpp"

#include "support/fake_nvml.hpp"
#include "support/wait_until.hpp"
#include "support/windows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

class NvmlSourceTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<NvmlSource>> try_open() {
    fake_.advance(150ms);  // not at a step, and when the counters differ
    return NvmlSource::open({.nvml_library = fake_.library(), .clock = &fake_, .sleeper = &fake_});
  }
  void open(std::string_view trace) {
    fake_.play(trace);
    auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    start();
  }
  void start() {
    windows_.clear();
    const auto started = source_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  /// Polls as a monitor does, until `time` after the trace's begin.
  void run_until(Nanoseconds time, Nanoseconds interval = NvmlSource::kPoll) {
    while (fake_.now() < fake_.begin() + time) {
      fake_.advance(interval);
      last_ = source_->poll(windows_);
      outcomes_[last_.outcome] += 1;
      if (last_.outcome != PollOutcome::ok) {
        messages_.push_back(last_.error.message);
      }
      for (const Incident& incident : last_.incidents) {
        messages_.push_back(incident.code + ": " + incident.error.message);
      }
      source_->append_readings(readings_);
    }
  }
  [[nodiscard]] std::uint16_t index_of(std::string_view name) const {
    const auto& domains = source_->domains();
    const auto found = std::ranges::find(domains, name, &Domain::name);
    EXPECT_NE(found, domains.end()) << name;
    return static_cast<std::uint16_t>(found - domains.begin());
  }
  struct Sum {
    double joules = 0;
    Nanoseconds covered{0};
    Instant begin, end;
    std::size_t windows = 0;
  };
  [[nodiscard]] Sum sum(std::string_view name) const {
    Sum result;
    const std::uint16_t domain = index_of(name);
    for (const EnergyWindow& window : windows_) {
      if (window.domain != domain) {
        continue;
      }
      EXPECT_GT(window.duration(), 0ns);
      EXPECT_GT(window.energy, Joules{0}) << "a running GPU draws power";
      if (result.windows > 0) {
        EXPECT_GE(window.begin, result.end) << "windows ascend and do not overlap";
      } else {
        result.begin = window.begin;
      }
      ++result.windows;
      result.joules += window.energy.value();
      result.covered += window.duration();
      result.end = window.end;
    }
    return result;
  }
  [[nodiscard]] std::size_t complaints(std::string_view text) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        messages_, [&](const auto& message) { return message.find(text) != std::string::npos; }));
  }
  /// Seconds since the trace's begin.
  [[nodiscard]] double at(Instant instant) const { return seconds(instant - fake_.begin()); }

  testing::FakeNvml fake_;
  std::unique_ptr<NvmlSource> source_;
  std::vector<EnergyWindow> windows_;
  std::vector<SensorReading> readings_;
  std::map<PollOutcome, int> outcomes_;
  std::vector<std::string> messages_;
  Poll last_;
};

// ---- the energy counter -------------------------------------------------------------------------

TEST_F(NvmlSourceTest, SteadyPowerIsCountedFromStepToStep) {
  open("call_us 50\ngpu 0 uuid=GPU-a name=NVIDIA_A100\nat 0 gpu 0 watts 150\n");
  run_until(10s);
  const Sum gpu = sum("gpu-0");
  EXPECT_EQ(outcomes_[PollOutcome::ok], outcomes_.begin()->second);
  EXPECT_NEAR(gpu.joules, 150 * seconds(gpu.covered), 150 * 0.002);
  EXPECT_EQ(gpu.covered, gpu.end - gpu.begin) << "no gaps";
  EXPECT_GT(seconds(gpu.covered), 9.6);
  EXPECT_GT(gpu.windows, 40U);
}

// DESIGN.md, "Where the accuracy comes from".
TEST_F(NvmlSourceTest, EdgesLieWhereTheCounterStepped) {
  open("call_us 50\ngpu 0\nat 0 gpu 0 watts 150\n");
  run_until(10s);
  // A window ends at a step, so the sum of energies says where its end should be.
  double joules = 0;
  double worst = 0;
  std::vector<double> errors;
  const double begin = std::round(at(windows_.front().begin) * 10) / 10;
  for (const EnergyWindow& window : windows_) {
    joules += window.energy.value();
    errors.push_back(std::abs(at(window.end) - begin - joules / 150) * 1e3);
    worst = std::max(worst, errors.back());
  }
  std::ranges::nth_element(errors, errors.begin() + std::ssize(errors) / 2);
  EXPECT_LT(errors[errors.size() / 2], 0.2) << "ms from the true step, at the median";
  EXPECT_LT(worst, 12.5) << "while it learns the time between steps";
  EXPECT_LT(to_ms(source_->domains()[0].stamp_error), 1);
}

TEST_F(NvmlSourceTest, ReadingsWithoutALockLoseNothing) {
  fake_.play("call_us 50\ngpu 0\nat 0 gpu 0 watts 150\nat 2000 gpu 0 watts 60\n");
  auto opened =
      NvmlSource::open({.nvml_library = fake_.library(), .clock = &fake_, .lock_to_steps = false});
  ASSERT_TRUE(opened) << opened.error().message;
  source_ = std::move(*opened);
  start();
  EXPECT_GT(to_ms(source_->domains()[0].stamp_error), 5) << "up to a poll late";
  run_until(5s);
  const Sum gpu = sum("gpu-0");
  EXPECT_EQ(gpu.covered, gpu.end - gpu.begin);
  EXPECT_NEAR(gpu.joules, 150 * (2 - at(gpu.begin)) + 60 * (at(gpu.end) - 2), 150 * 0.1);
}

TEST_F(NvmlSourceTest, FallingPowerCountsAsMuchAsRising) {
  open(
      "call_us 50\ngpu 0\nat 0 gpu 0 watts 80\nat 1000 gpu 0 watts 400\nat 2000 gpu 0 watts 60\n"
      "at 2500 gpu 0 ramp 300\nat 4000 gpu 0 ramp 50\n");
  run_until(6s);
  const Sum gpu = sum("gpu-0");
  // From the first seen step to the last: 80 W at first, 50 W at the end.
  const double truth = 80 * (1 - at(gpu.begin)) + 400 + (60 + 300) / 2.0 * 0.5 +
                       (300 + 50) / 2.0 * 1.5 + 50 * (at(gpu.end) - 4);
  EXPECT_NEAR(gpu.joules, truth, 400 * 0.1) << "at most one step";
  EXPECT_EQ(gpu.covered, gpu.end - gpu.begin);
}

TEST_F(NvmlSourceTest, EveryGpuIsReadAndKnownByItsIdentifier) {
  open(
      "call_us 50\ngpu 0 uuid=GPU-a name=NVIDIA_A100\ngpu 1 uuid=GPU-b name=NVIDIA_H100 cc=9.0 "
      "arch=9 counter=20\nat 0 gpu 0 watts 100\nat 0 gpu 1 watts 500\n");
  run_until(5s);
  ASSERT_EQ(source_->domains().size(), 2U);
  EXPECT_EQ(source_->domains()[0].device, "GPU-a");
  EXPECT_EQ(source_->domains()[1].device, "GPU-b");
  for (const Domain& domain : source_->domains()) {
    EXPECT_TRUE(domain.is_root());
    EXPECT_EQ(domain.kind, DomainKind::gpu);
    EXPECT_EQ(domain.scope, DomainScope::board);
    EXPECT_EQ(domain.source, "nvml");
  }
  const Sum first = sum("gpu-0");
  const Sum second = sum("gpu-1");
  EXPECT_NEAR(first.joules, 100 * seconds(first.covered), 100 * 0.005);
  EXPECT_NEAR(second.joules, 500 * seconds(second.covered), 500 * 0.02);
  EXPECT_GT(seconds(first.covered), 4.4);
  EXPECT_GT(seconds(second.covered), 4.4);
  EXPECT_THAT(source_->description(), HasSubstr("gpu-0: energy counter (NVIDIA A100, whole board, "
                                                "GPU-a)"));
}

TEST_F(NvmlSourceTest, ManyGpusKeepNobodyWaiting) {
  std::string trace = "call_us 50\n";
  for (int gpu = 0; gpu < 8; ++gpu) {
    trace += "gpu " + std::to_string(gpu) + "\n";
  }
  for (int gpu = 0; gpu < 8; ++gpu) {
    trace += "at 0 gpu " + std::to_string(gpu) + " watts 100\n";
  }
  open(trace);
  Nanoseconds longest{0};
  while (fake_.now() < fake_.begin() + 20s) {
    fake_.advance(NvmlSource::kPoll);
    const Instant before = fake_.now();
    static_cast<void>(source_->poll(windows_));
    longest = std::max(longest, fake_.now() - before);
  }
  EXPECT_LT(longest, 1s) << "a monitor waits for two seconds at most";
  for (int gpu = 0; gpu < 8; ++gpu) {
    const Sum one = sum("gpu-" + std::to_string(gpu));
    EXPECT_GT(seconds(one.covered), 18) << gpu;
    EXPECT_NEAR(one.joules, 100 * seconds(one.covered), 100 * 0.1);
  }
}

TEST_F(NvmlSourceTest, ADriverThatWasReloadedIsAGapAndNeverPetajoules) {
  open("call_us 50\ngpu 0\nat 0 gpu 0 watts 150\nat 2050 gpu 0 reset\n");
  run_until(5s);
  const Sum gpu = sum("gpu-0");
  EXPECT_EQ(outcomes_[PollOutcome::gone], 0);
  EXPECT_EQ(complaints("counter_reset"), 1U);
  const Nanoseconds missing = gpu.end - gpu.begin - gpu.covered;
  EXPECT_GE(missing, 50ms);
  EXPECT_LE(missing, 400ms);
  EXPECT_NEAR(gpu.joules, 150 * seconds(gpu.covered), 150 * 0.1);
}

TEST_F(NvmlSourceTest, ACallThatFailsOnceIsBridgedAndIsNoZero) {
  open("call_us 50\ngpu 0\nat 0 gpu 0 watts 150\nat 2000 gpu 0 error 10\nat 2030 gpu 0 error 0\n");
  run_until(5s);
  const Sum gpu = sum("gpu-0");
  EXPECT_GE(complaints("Timeout"), 1U);
  EXPECT_EQ(gpu.covered, gpu.end - gpu.begin) << "the counter kept counting";
  EXPECT_NEAR(gpu.joules, 150 * seconds(gpu.covered), 150 * 0.1);
}

TEST_F(NvmlSourceTest, ADriverThatSaysZeroIsNotBelieved) {
  open("call_us 50\ngpu 0\nat 0 gpu 0 watts 150\nat 2000 gpu 0 zero 1\nat 3000 gpu 0 zero 0\n");
  run_until(5s);
  const Sum gpu = sum("gpu-0");
  EXPECT_GE(complaints("shows 0"), 1U);
  EXPECT_EQ(complaints("counter_reset"), 0U);
  EXPECT_NEAR(gpu.joules, 150 * seconds(gpu.covered), 150 * 0.1);
  EXPECT_GT(seconds(gpu.covered), 4.3);
}

TEST_F(NvmlSourceTest, ACounterThatStandsStillWhereThereIsNoPowerIsSaidSo) {
  open(
      "call_us 50\ngpu 0 fields=0 usage=0\nat 0 gpu 0 watts 150\nat 2000 gpu 0 counter_frozen 1\n"
      "at 6000 gpu 0 counter_frozen 0\n");
  run_until(10s);
  const Sum gpu = sum("gpu-0");
  EXPECT_EQ(complaints("has not stepped for"), 1U) << "once, not at each poll";
  EXPECT_NEAR(gpu.joules, 150 * seconds(gpu.covered), 150 * 0.1) << "it had kept counting";
  EXPECT_EQ(gpu.covered, gpu.end - gpu.begin);
  EXPECT_TRUE(source_->faults().empty());
}

TEST_F(NvmlSourceTest, WhereTheCounterStandsStillPowerIsRead) {
  open(
      "call_us 50\ngpu 0\nat 0 gpu 0 watts 150\nat 2000 gpu 0 counter_frozen 1\n"
      "at 4000 gpu 0 watts 300\nat 8000 gpu 0 counter_frozen 0\n");
  run_until(6s);
  ASSERT_EQ(source_->faults().size(), 1U);
  EXPECT_EQ(source_->faults()[0].code, "counter_frozen");
  EXPECT_THAT(source_->faults()[0].error.message,
              AllOf(HasSubstr("gpu-0: its energy counter stands still at"),
                    HasSubstr("instantaneous power, integrated is read instead")));
  run_until(12s);
  EXPECT_TRUE(source_->faults().empty()) << "it steps again";
  const Sum gpu = sum("gpu-0");
  const double missing = seconds(gpu.end - gpu.begin - gpu.covered);
  EXPECT_LT(missing, 0.8) << "until it was noticed, and until it stepped again";
  EXPECT_GT(missing, 0.2);
  const double truth = 150 * (4 - at(gpu.begin)) + 300 * (at(gpu.end) - 4);
  EXPECT_NEAR(gpu.joules, truth - 150 * 0.35 - 300 * (missing - 0.35), 300 * 0.15);
  EXPECT_EQ(complaints("has not stepped for"), 0U);
}

// A driver whose counter never counts, in a session that has just begun.
TEST_F(NvmlSourceTest, ACounterThatNeverStepsIsNoticedWithinASecond) {
  for (const char* const gpu : {"gpu 0", "gpu 0 fields=0 arch=9 cc=9.0"}) {
    SCOPED_TRACE(gpu);
    open(std::string("call_us 50\n") + gpu +
         "\nat 0 gpu 0 watts 150\nat 0 gpu 0 counter_frozen 1\n");
    run_until(4s);
    EXPECT_EQ(source_->faults().size(), 1U);
    const Sum sum_of_gpu = sum("gpu-0");
    EXPECT_NEAR(sum_of_gpu.joules, 150 * seconds(sum_of_gpu.covered), 1e-3);
    EXPECT_GT(seconds(sum_of_gpu.covered), std::string_view(gpu) == "gpu 0" ? 3.2 : 1.9);
    start();
    EXPECT_TRUE(source_->faults().empty()) << "it may count by now";
  }
}

TEST_F(NvmlSourceTest, AFrozenCounterTakesNoOtherWithIt) {
  open(
      "call_us 50\ngpu 0\ngpu 1\nat 0 gpu 0 watts 150\nat 0 gpu 1 watts 80\n"
      "at 2000 gpu 0 counter_frozen 1\n");
  run_until(8s);
  const Sum frozen = sum("gpu-0");
  const Sum other = sum("gpu-1");
  EXPECT_NEAR(frozen.joules, 150 * seconds(frozen.covered), 150 * 0.1);
  EXPECT_GT(seconds(frozen.covered), 6.5);
  EXPECT_NEAR(other.joules, 80 * seconds(other.covered), 80 * 0.1);
  EXPECT_GT(seconds(other.covered), 7);
}

TEST_F(NvmlSourceTest, TheCounterOfAModuleMayStandStillToo) {
  open(
      "gpu 0 name=GH200_480GB arch=9 cc=9.0 module=1\nat 0 gpu 0 watts 300\n"
      "at 0 gpu 0 module_watts 550\nat 0 gpu 0 counter_frozen 1\n");
  run_until(5s);
  EXPECT_EQ(source_->faults().size(), 1U);
  EXPECT_NEAR(sum("module-0").joules, 550 * seconds(sum("module-0").covered), 1e-3);
  EXPECT_GT(seconds(sum("module-0").covered), 4);
}

TEST_F(NvmlSourceTest, AGpuThatIsLostTakesNoOtherWithIt) {
  open(
      "call_us 50\ngpu 0\ngpu 1\nat 0 gpu 0 watts 100\nat 0 gpu 1 watts 200\n"
      "at 2000 gpu 1 error 15\n");
  run_until(5s);
  EXPECT_EQ(outcomes_[PollOutcome::gone], 0);
  EXPECT_GT(outcomes_[PollOutcome::retry], 0);
  EXPECT_GE(complaints("gpu-1 cannot be read: GPU is lost (NVML error 15)"), 1U);
  const Sum left = sum("gpu-0");
  EXPECT_GT(seconds(left.covered), 4.5);
  EXPECT_NEAR(left.joules, 100 * seconds(left.covered), 100 * 0.1);
  const Sum lost = sum("gpu-1");
  EXPECT_LE(at(lost.end), 2.1);
  EXPECT_GT(at(lost.end), 1.5);
}

TEST_F(NvmlSourceTest, WhenAllAreLostTheSourceIsGoneUntilStartedAnew) {
  open("call_us 50\ngpu 0\nat 0 gpu 0 watts 100\nat 2000 gpu 0 error 15\nat 4000 gpu 0 error 0\n");
  run_until(3s);
  EXPECT_EQ(last_.outcome, PollOutcome::gone);
  EXPECT_THAT(last_.error.hint, HasSubstr("xid"));
  fake_.advance(2s);
  start();
  run_until(7s);
  EXPECT_EQ(last_.outcome, PollOutcome::ok);
  EXPECT_NEAR(sum("gpu-0").joules, 100 * seconds(sum("gpu-0").covered), 10);
}

TEST_F(NvmlSourceTest, AGpuThatComesLaterIsToldOfOnce) {
  open("call_us 50\ngpu 0\nat 0 gpu 0 watts 100\nat 3000 count 2\n");
  run_until(20s);
  EXPECT_EQ(complaints("The number of GPUs changed from 1 to 2"), 1U);
  EXPECT_EQ(outcomes_[PollOutcome::retry], 0);
}

// ---- power --------------------------------------------------------------------------------------

TEST_F(NvmlSourceTest, WithoutACounterPowerIsIntegrated) {
  open(
      "gpu 0 counter=0 arch=6 cc=7.5 name=NVIDIA_T4\nat 0 gpu 0 watts 40\nat 1000 gpu 0 ramp 70\n"
      "at 3000 gpu 0 ramp 30\nat 5000 gpu 0 ramp 60\n");
  run_until(5s);
  const Sum gpu = sum("gpu-0");
  EXPECT_THAT(source_->description(), HasSubstr("instantaneous power"));
  EXPECT_EQ(gpu.covered, gpu.end - gpu.begin);
  const double begin = at(gpu.begin);
  const double end = at(gpu.end);
  const double truth =
      (40 + 30 * begin + 70) / 2 * (1 - begin) + 100 + (30 + 30 + 15 * (end - 3)) / 2 * (end - 3);
  EXPECT_NEAR(gpu.joules, truth, 70 * 0.1) << "at most one update";
  EXPECT_LT(gpu.windows, 55U) << "one per update of 100 ms, not one per poll";
  EXPECT_EQ(source_->domains()[0].period, 100ms);
}

TEST_F(NvmlSourceTest, AnOldLibraryHasOnlyPower) {
  testing::FakeNvml old(ENPROF_FAKE_NVML_OLD_LIBRARY);
  old.play("gpu 0\nat 0 gpu 0 watts 40\n");
  auto opened = NvmlSource::open({.nvml_library = old.library(), .clock = &old, .sleeper = &old});
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_TRUE((*opened)->start());
  for (int poll = 0; poll < 100; ++poll) {
    old.advance(20ms);
    ASSERT_EQ((*opened)->poll(windows_).outcome, PollOutcome::ok);
  }
  source_ = std::move(*opened);
  EXPECT_NEAR(sum("gpu-0").joules, 40 * seconds(sum("gpu-0").covered), 1e-6);
  EXPECT_GE(sum("gpu-0").covered, 1800ms);
}

// nvmlDeviceGetPowerUsage is a mean over a second on Ampere and newer, except GA100.
TEST_F(NvmlSourceTest, AMeanIsTakenForWhatItIs) {
  struct Case {
    const char* gpu;
    const char* expected;
  };
  for (const Case& c :
       {Case{"arch=7 cc=8.0", "instantaneous power"}, Case{"arch=7 cc=8.6", "mean over 1 s"},
        Case{"arch=6 cc=7.5", "instantaneous power"}, Case{"arch=9 cc=9.0", "mean over 1 s"}}) {
    open(std::string("gpu 0 counter=0 fields=0 ") + c.gpu + "\nat 0 gpu 0 watts 100\n");
    EXPECT_THAT(source_->description(), HasSubstr(c.expected)) << c.gpu;
  }
  open(
      "gpu 0 counter=0 fields=0 arch=8 cc=8.9\nat 0 gpu 0 watts 100\nat 2500 gpu 0 watts 300\n"
      "at 5000 gpu 0 watts 100\n");
  EXPECT_EQ(source_->domains()[0].period, 1s);
  run_until(8s);
  const Sum gpu = sum("gpu-0");
  EXPECT_GE(gpu.windows, 6U);
  EXPECT_LE(gpu.windows, 8U);
  const double truth = 100 * seconds(gpu.covered) + 200 * 2.5;
  EXPECT_NEAR(gpu.joules, truth, 200 * 0.3);
}

TEST_F(NvmlSourceTest, ADriverThatAnswersWithZeroWattsLeavesAGap) {
  open("gpu 0 counter=0\nat 0 gpu 0 watts 40\nat 2000 gpu 0 zero 1\nat 3000 gpu 0 zero 0\n");
  run_until(5s);
  const Sum gpu = sum("gpu-0");
  EXPECT_GE(complaints("reports 0 W"), 1U);
  EXPECT_NEAR(gpu.joules, 40 * seconds(gpu.covered), 1e-6);
  EXPECT_NEAR(seconds(gpu.end - gpu.begin - gpu.covered), 1, 0.25);
}

// ---- MIG and modules ----------------------------------------------------------------------------

TEST_F(NvmlSourceTest, InstancesThatOnlyRepeatTheirGpuAreNoDomains) {
  open(
      "call_us 50\ngpu 0 uuid=GPU-a name=NVIDIA_A100 mig=2 mig_power=parent\nat 0 gpu 0 watts "
      "200\n");
  ASSERT_EQ(source_->domains().size(), 1U) << "if added up, they would count as three GPUs";
  EXPECT_EQ(source_->domains()[0].name, "gpu-0");
  EXPECT_EQ(source_->domains()[0].scope, DomainScope::board);
  EXPECT_THAT(source_->description(),
              HasSubstr("whole board, with its 2 MIG instances: MIG-GPU-a-0, MIG-GPU-a-1"));
  run_until(3s);
  EXPECT_NEAR(sum("gpu-0").joules, 200 * seconds(sum("gpu-0").covered), 20);
}

TEST_F(NvmlSourceTest, InstancesWithoutSensorsAreNamedOnTheGpu) {
  open("gpu 0 uuid=GPU-a mig=2\nat 0 gpu 0 watts 200\n");
  ASSERT_EQ(source_->domains().size(), 1U);
  EXPECT_THAT(source_->description(), HasSubstr("2 MIG instances"));
}

TEST_F(NvmlSourceTest, InstancesWithSensorsOfTheirOwnLieWithinTheirGpu) {
  open(
      "call_us 50\ngpu 0 mig=2 mig_power=own\nat 0 gpu 0 watts 200\nat 0 gpu 0 mig_watts 0 50\n"
      "at 0 gpu 0 mig_watts 1 90\n");
  ASSERT_EQ(source_->domains().size(), 3U);
  EXPECT_TRUE(source_->domains()[index_of("gpu-0")].is_root());
  for (const char* name : {"mig-0-0", "mig-0-1"}) {
    const Domain& instance = source_->domains()[index_of(name)];
    EXPECT_EQ(instance.parent, index_of("gpu-0"));
    EXPECT_EQ(instance.scope, DomainScope::slice);
    EXPECT_THAT(instance.device, HasSubstr("MIG-"));
  }
  run_until(5s);
  EXPECT_NEAR(sum("mig-0-0").joules, 50 * seconds(sum("mig-0-0").covered), 10);
  EXPECT_NEAR(sum("mig-0-1").joules, 90 * seconds(sum("mig-0-1").covered), 10);
}

TEST_F(NvmlSourceTest, InAContainerAGpuIsReadThroughItsInstanceOnce) {
  open("call_us 50\ngpu 0 uuid=GPU-a denied=1 mig=2 mig_power=parent\nat 0 gpu 0 watts 200\n");
  ASSERT_EQ(source_->domains().size(), 1U);
  EXPECT_EQ(source_->domains()[0].name, "gpu-0");
  EXPECT_EQ(source_->domains()[0].scope, DomainScope::board);
  EXPECT_THAT(source_->description(), HasSubstr("read through MIG-GPU-a-0"));
  run_until(3s);
  EXPECT_NEAR(sum("gpu-0").joules, 200 * seconds(sum("gpu-0").covered), 20);
}

TEST_F(NvmlSourceTest, AModuleContainsItsGpu) {
  open(
      "gpu 0 name=GH200_480GB arch=9 cc=9.0 module=1\nat 0 gpu 0 watts 300\n"
      "at 0 gpu 0 module_watts 550\n");
  const Domain& module = source_->domains()[index_of("module-0")];
  const Domain& gpu = source_->domains()[index_of("gpu-0")];
  EXPECT_TRUE(module.is_root());
  EXPECT_EQ(module.scope, DomainScope::module);
  EXPECT_EQ(gpu.parent, index_of("module-0"));
  EXPECT_EQ(gpu.scope, DomainScope::device);
  EXPECT_THAT(source_->description(), HasSubstr("module-0: energy counter"));
  EXPECT_THAT(source_->description(), HasSubstr("gpu-0: instantaneous power"));
  run_until(5s);
  EXPECT_NEAR(sum("module-0").joules, 550 * seconds(sum("module-0").covered), 550 * 0.1);
  EXPECT_NEAR(sum("gpu-0").joules, 300 * seconds(sum("gpu-0").covered), 1e-6);
}

TEST_F(NvmlSourceTest, ADriverThatKnowsNoScopesMakesNoModules) {
  open("call_us 50\ngpu 0 scopes=0\nat 0 gpu 0 watts 300\n");
  ASSERT_EQ(source_->domains().size(), 1U);
  EXPECT_EQ(source_->domains()[0].scope, DomainScope::board);
}

TEST_F(NvmlSourceTest, AModuleThatMayHoldSeveralGpusIsLeftOut) {
  open(
      "gpu 0 arch=10 cc=10.0 module=1\ngpu 1 arch=10 cc=10.0 module=1\nat 0 gpu 0 watts 300\n"
      "at 0 gpu 0 module_watts 1500\nat 0 gpu 1 watts 400\nat 0 gpu 1 module_watts 1500\n");
  EXPECT_EQ(source_->domains().size(), 2U);
  EXPECT_THAT(source_->description(), HasSubstr("the module that gpu-1 is on is left out"));
  run_until(3s);
  EXPECT_NEAR(sum("gpu-0").joules, 300 * seconds(sum("gpu-0").covered), 1e-6);
  EXPECT_NEAR(sum("gpu-1").joules, 400 * seconds(sum("gpu-1").covered), 1e-6);
}

// ---- what cannot be read ------------------------------------------------------------------------

TEST_F(NvmlSourceTest, AGpuThatCannotBeReadIsSaidSoAndTheOthersAre) {
  open(
      "gpu 0 uuid=GPU-a denied=1\ngpu 1 counter=0 fields=0 usage=0\ngpu 2\nat 0 gpu 2 watts 100\n");
  ASSERT_EQ(source_->domains().size(), 1U);
  EXPECT_EQ(source_->domains()[0].name, "gpu-2");
  EXPECT_THAT(source_->description(),
              HasSubstr("gpu-0 cannot be measured: Insufficient Permissions"));
  EXPECT_THAT(source_->description(), HasSubstr("gpu-1 cannot be measured: Not Supported"));
  ASSERT_EQ(source_->faults().size(), 2U);
  for (const Incident& fault : source_->faults()) {
    EXPECT_EQ(fault.code, "sensor_left_out");
  }
}

TEST_F(NvmlSourceTest, WithoutAnySensorItSaysWhy) {
  fake_.play("gpu 0 denied=1\n");
  const auto denied = try_open();
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, ErrorCode::permission_denied);
  EXPECT_THAT(denied.error().hint, HasSubstr("/dev/nvidia"));

  fake_.play("gpu 0 counter=0 fields=0 usage=0\n");
  EXPECT_EQ(try_open().error().code, ErrorCode::unsupported);

  fake_.play("");
  const auto none = try_open();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::not_found);
  EXPECT_THAT(none.error().hint, HasSubstr("nvidia-smi -L"));
  EXPECT_EQ(fake_.users(), 0) << "after a failed open it was shut down";
}

TEST_F(NvmlSourceTest, AnErrorAtTheStartOfASessionIsAnErrorAndNoMore) {
  open("call_us 50\ngpu 0\nat 0 gpu 0 watts 100\nat 1000 gpu 0 error 999\nat 2000 gpu 0 error 0\n");
  fake_.advance(fake_.begin() + 1500ms - fake_.now());
  const auto failed = source_->start();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::unavailable);
  fake_.advance(1s);
  start();
  run_until(5s);
  EXPECT_GT(sum("gpu-0").joules, 0);
}

// ---- beside energy ------------------------------------------------------------------------------

TEST_F(NvmlSourceTest, SaysHowBusyFastAndHotItIs) {
  open(
      "call_us 50\ngpu 0\nat 0 gpu 0 watts 100\nat 0 gpu 0 util 80 40\nat 0 gpu 0 clocks 1410 "
      "1215\n"
      "at 0 gpu 0 temperature 55\nat 0 gpu 0 throttle 4\n");
  run_until(1s);
  std::map<SensorQuantity, double> values;
  for (const SensorReading& reading : readings_) {
    EXPECT_EQ(reading.domain, 0);
    EXPECT_GE(reading.at, fake_.begin());
    EXPECT_LE(reading.at, fake_.now());
    values[reading.quantity] = reading.value;
  }
  EXPECT_EQ(values,
            (std::map<SensorQuantity, double>{{SensorQuantity::utilization_ratio, 0.8},
                                              {SensorQuantity::memory_utilization_ratio, 0.4},
                                              {SensorQuantity::clock_hz, 1.41e9},
                                              {SensorQuantity::memory_clock_hz, 1.215e9},
                                              {SensorQuantity::temperature_celsius, 55},
                                              {SensorQuantity::throttle_reasons, 4}}));
  EXPECT_LE(readings_.size(), 6U * 6U) << "no more often than the values change";
}

TEST_F(NvmlSourceTest, WhatItDoesNotKnowIsNoReadingOfZero) {
  open("call_us 50\ngpu 0 mig=1\nat 0 gpu 0 watts 100\n");  // a split GPU has no utilization
  run_until(2s);
  for (const SensorReading& reading : readings_) {
    EXPECT_NE(reading.quantity, SensorQuantity::utilization_ratio);
    EXPECT_NE(reading.quantity, SensorQuantity::memory_utilization_ratio);
  }
  EXPECT_FALSE(readings_.empty());
}

// The polling thread is not the one that reads the results.
TEST_F(NvmlSourceTest, WorksUnderAMonitor) {
  fake_.play_in_real_time(
      "gpu 0 counter=20\ngpu 1 counter=20\nat 0 gpu 0 watts 150\nat 0 gpu 1 watts 50\n");
  auto opened = PowerMonitor::open("nvml", {.nvml_library = fake_.library()});
  ASSERT_TRUE(opened) << opened.error().message;
  std::optional<PowerMonitor> monitor{std::move(*opened)};
  ASSERT_TRUE(monitor->start());
  const Instant begin = monotonic_clock().now();
  // The library's counters step in real time.
  testing::wait_until("there are windows of both GPUs", [&] {
    monitor->sync();
    const WindowsByDomain windows = monitor->windows(begin, monotonic_clock().now());
    return !windows[0].empty() && !windows[1].empty();
  });
  monitor->stop();
  windows_ = testing::joined(monitor->windows(begin - 10s, monotonic_clock().now()));
  for (const double watts : {150.0, 50.0}) {
    double joules = 0;
    double covered = 0;
    for (const EnergyWindow& window : windows_) {
      if (window.domain == (watts == 150 ? 0 : 1)) {
        joules += window.energy.value();
        covered += seconds(window.duration());
      }
    }
    EXPECT_GT(covered, 0);
    EXPECT_NEAR(joules, watts * covered, watts * 0.1);
  }
  monitor.reset();
  EXPECT_EQ(fake_.users(), 0);
}

TEST_F(NvmlSourceTest, ShutsTheLibraryDownWhenItIsDone) {
  open("gpu 0\nat 0 gpu 0 watts 100\n");
  EXPECT_EQ(fake_.users(), 1);
  source_.reset();
  EXPECT_EQ(fake_.users(), 0);
}

}  // namespace
}  // namespace enprof
