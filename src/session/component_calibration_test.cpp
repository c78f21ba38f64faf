#include "session/component_calibration.hpp"

#include "engines/playback/playback.hpp"
#include "session/run_session.hpp"
#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

namespace enprof {
namespace {

using enprof::testing::FakeSensor;
using enprof::testing::FakeSource;
using enprof::testing::ManualClock;
using enprof::testing::ManualSleeper;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// A model whose components draw known powers while they run alone.
class FakeModel final : public LoadedModel {
 public:
  Nanoseconds preparing = 0s;      ///< takes so long
  double overrun = 1.0;            ///< a turn takes so many times as long as asked
  bool is_uneven = false;          ///< a component takes 1 ms more of a pass than the one before it
  std::vector<std::size_t> ran{};  ///< which component, in each turn

  FakeModel(std::vector<double> watts, FakeSensor& sensor, const ManualClock& clock,
            const ManualSleeper& sleeper)
      : watts_(std::move(watts)), sensor_(sensor), clock_(clock), sleeper_(sleeper) {
    facts_.name = "fake";
  }

  const ModelFacts& facts() const noexcept override { return facts_; }
  std::size_t most_output_tokens(const GenerateOptions&) const noexcept override { return 1; }
  Result<GenerateResult> generate(RunScope&, const GenerateOptions&) override {
    return fail(ErrorCode::unsupported, "It generates nothing");
  }
  int threads(int chosen) const noexcept override { return chosen > 0 ? chosen : 4; }
  Result<std::unique_ptr<ComponentReplay>> prepare_replay(const ReplayOptions&) override {
    sleeper_.sleep_until(clock_.now() + preparing);
    return std::make_unique<Replay>(*this);
  }

 private:
  class Replay final : public ComponentReplay {
   public:
    explicit Replay(FakeModel& model) : model_(model) {
      for (std::size_t index = 0; index < model.watts_.size(); ++index) {
        classes_.push_back({.phase = Phase::decode,
                            .component = "part-" + std::to_string(index),
                            .op = "MUL_MAT",
                            .operations = 8,
                            .pass_time = 8ms + index * (model.is_uneven ? 1ms : 0ms)});
      }
    }
    std::span<const ReplayClass> classes() const noexcept override { return classes_; }
    Result<ReplayCount> run(std::size_t index, Nanoseconds at_least,
                            const std::stop_token& stop) override {
      if (stop.stop_requested()) {
        return fail(ErrorCode::cancelled, "stopped");
      }
      model_.ran.push_back(index);
      model_.sensor_.watts = model_.watts_[index];
      const Nanoseconds length = from_ms(to_ms(at_least) * model_.overrun);
      model_.sleeper_.sleep_until(model_.clock_.now() + length);
      return ReplayCount{.operations = static_cast<std::size_t>(length / 2ms), .time = length};
    }

   private:
    FakeModel& model_;
    std::vector<ReplayClass> classes_;
  };

  ModelFacts facts_;
  std::vector<double> watts_;
  FakeSensor& sensor_;
  const ManualClock& clock_;
  const ManualSleeper& sleeper_;
};

class ComponentCalibrationTest : public ::testing::Test {
 protected:
  ComponentCalibrationTest() {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(std::make_unique<FakeSource>("fake", std::vector<std::string>{"package-0"},
                                                   clock_, sensor_));
    power_ = std::make_unique<PowerMonitor>(std::move(sources), clock_, "/proc", &sleeper_);
  }
  Result<Calibration> calibrate(const CalibrationOptions& options,
                                const std::stop_token& stop = {}) {
    EXPECT_TRUE(power_->start(10ms));
    auto result = calibrate_components(model_, *power_, options, stop);
    power_->stop();
    return result;
  }
  /// The sensor is read at the begin and end of turns only, so a window is as long as a turn.
  [[nodiscard]] CalibrationOptions quick() const {
    return {.budget = 60s, .warm_up = 200ms, .busy = BusyMachine::measure, .clock = &clock_};
  }

  ManualClock clock_;
  ManualSleeper sleeper_{clock_};
  std::shared_ptr<FakeSensor> sensor_ = std::make_shared<FakeSensor>();
  std::unique_ptr<PowerMonitor> power_;
  FakeModel model_{{30.0, 60.0, 45.0}, *sensor_, clock_, sleeper_};
};

TEST_F(ComponentCalibrationTest, FindsThePowerOfEachComponent) {
  double told = 0.0;
  CalibrationOptions options = quick();
  options.progress = [&](double share, Nanoseconds) {
    EXPECT_GE(share, told);
    told = share;
  };
  const auto made = calibrate(options);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->key.model, "fake");
  EXPECT_EQ(made->key.threads, 4);
  EXPECT_EQ(made->key.domains, std::vector<std::string>{"package-0"});
  ASSERT_EQ(made->classes.size(), 3U);
  const std::vector<double> watts{30.0, 60.0, 45.0};
  for (std::size_t index = 0; index < 3; ++index) {
    const CalibratedClass& one = made->classes[index];
    ASSERT_EQ(one.powers.size(), 1U);
    ASSERT_TRUE(one.powers[0]);
    EXPECT_NEAR(one.powers[0]->power.value(), watts[index], 0.01 * watts[index]);
    EXPECT_LT(one.powers[0]->deviation, 0.02);
    EXPECT_NEAR(to_ms(one.replayed_time), 16.0, 0.2);  // 2 ms an operation, alone
    EXPECT_EQ(one.pass_time, 8ms);
  }
  EXPECT_NEAR(told, 1.0, 1e-9);
}

/// With the usual options, of a model with this many components, under a sensor that gives
/// `readings` a second.
class LongCalibrationTest : public ComponentCalibrationTest {
 protected:
  LongCalibrationTest() { large_.is_uneven = true; }

  Result<Calibration> calibrate_large(int readings) {
    sensor_->pieces = readings;  // of the second in which idle power is measured
    EXPECT_TRUE(power_->start(10ms));
    const Instant begin = clock_.now();
    auto made = calibrate_components(
        large_, *power_, {.busy = BusyMachine::measure, .clock = &clock_, .progress = progress_},
        {});
    took_ = clock_.now() - begin;
    power_->stop();
    return made;
  }
  static std::size_t measured_in(const Calibration& made) {
    return static_cast<std::size_t>(std::ranges::count_if(
        made.classes, [](const CalibratedClass& one) { return one.powers[0].has_value(); }));
  }

  FakeModel large_{std::vector<double>(80, 40.0), *sensor_, clock_, sleeper_};
  std::function<void(double, Nanoseconds)> progress_{};
  Nanoseconds took_{0};
};

TEST_F(LongCalibrationTest, ManyComponentsFitIntoAMinute) {
  double told = 0.0;
  progress_ = [&](double share, Nanoseconds left) {
    EXPECT_GE(share, told);
    EXPECT_LE(left, CalibrationOptions::kWholeTime);
    told = share;
  };
  large_.preparing = 5s;
  const auto made = calibrate_large(10);  // as many means of 100 ms
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(measured_in(*made), 80U);
  EXPECT_LE(took_, CalibrationOptions::kWholeTime);
  EXPECT_GE(took_, 45s);
  EXPECT_DOUBLE_EQ(told, 1.0);
}

TEST_F(LongCalibrationTest, UnderASlowSensorTheLargestComponentsAreMeasured) {
  const auto made = calibrate_large(1);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_LE(took_, CalibrationOptions::kWholeTime);
  EXPECT_EQ(measured_in(*made), 11U) << "of 4 s each";
  for (std::size_t index = 0; index < 80; ++index) {
    const CalibratedClass& one = made->classes[index];
    EXPECT_EQ(one.powers[0].has_value(), index >= 80 - 11) << index;
    EXPECT_EQ(one.replayed_time > 0ns, index >= 80 - 11) << index;
  }
}

TEST_F(LongCalibrationTest, APreparationThatTakesLongLeavesLessForTheReplay) {
  large_.preparing = 30s;
  const auto made = calibrate_large(10);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_LE(took_, CalibrationOptions::kWholeTime);
  EXPECT_GT(took_, 50s);
  EXPECT_LT(measured_in(*made), 80U);
}

TEST_F(LongCalibrationTest, RoundsThatNoLongerFitAreLeftOut) {
  sensor_->pieces = 100;
  large_.overrun = 1.5;
  const auto made = calibrate_large(100);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_LE(took_, CalibrationOptions::kWholeTime);
  EXPECT_EQ(measured_in(*made), 80U);
  EXPECT_GT(large_.ran.size(), 3 * 80U);
}

TEST_F(ComponentCalibrationTest, ASensorThatIsTooSlowIsRefused) {
  CalibrationOptions options = quick();
  options.budget = 3s;  // a turn takes 4 s
  const auto made = calibrate(options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::unsupported);
  EXPECT_THAT(made.error().message, HasSubstr("too slow to calibrate within 3.0 s"));
  EXPECT_THAT(made.error().hint, HasSubstr("12 s for all"));
  EXPECT_TRUE(model_.ran.empty());
}

TEST_F(ComponentCalibrationTest, AStopEndsIt) {
  std::stop_source stop;
  CalibrationOptions options = quick();
  options.progress = [&](double share, Nanoseconds) {
    if (share > 0.5) {
      stop.request_stop();
    }
  };
  const auto made = calibrate(options, stop.get_token());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::cancelled);
}

TEST_F(ComponentCalibrationTest, WithoutReadingsThereIsNone) {
  CalibrationOptions options = quick();
  options.progress = [&](double, Nanoseconds) { sensor_->mode = FakeSensor::Mode::silent; };
  const auto made = calibrate(options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::unavailable);
  EXPECT_THAT(made.error().message, HasSubstr("No reading came"));
}

TEST_F(ComponentCalibrationTest, WithoutASensorThereIsNone) {
  PowerMonitor none(std::vector<std::unique_ptr<PowerSource>>{}, clock_, "/proc", &sleeper_);
  ASSERT_TRUE(none.start());
  const auto made = calibrate_components(model_, none, quick(), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::unsupported);
}

/// A run in which two operations always take turns: only a calibration tells them apart.
TEST(CalibratedRun, EnergyFollowsTheCalibration) {
  enprof::testing::TempDir directory;
  const auto script = directory.path() / "m.playback.json";
  std::ofstream(script) << R"({"playback": 1, "model": {"name": "m"}, "prompt_tokens": 1,
    "plans": [{"name": "step", "operations": [
      {"component": "a", "op": "MUL_MAT", "layer": 0, "us": 5000},
      {"component": "b", "op": "MUL_MAT", "layer": 0, "us": 5000}]}],
    "steps": [{"phase": "decode", "token": "x", "repeat": 200,
               "sections": [{"name": "forward", "pass": "step"}]}]})";
  ManualClock clock;
  const ManualSleeper sleeper(clock);
  const auto engine = make_playback(clock, sleeper);
  const auto sensor = std::make_shared<FakeSensor>();
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(
      std::make_unique<FakeSource>("fake", std::vector<std::string>{"package-0"}, clock, sensor));
  PowerMonitor monitor(std::move(sources), clock, "/proc", &sleeper);
  SessionPower power({.open = [&]() -> Result<PowerMonitor> { return std::move(monitor); },
                      .interval = 100ms,
                      .clock = &clock});
  ASSERT_TRUE(power.open());
  ModelKeeper models({.engine_for = [&](const auto&) -> const Engine& { return *engine; }});
  const auto one = [](const char* component, double watts) {
    return CalibratedClass{
        .phase = Phase::decode,
        .component = component,
        .op = "MUL_MAT",
        .operations = 1,
        .pass_time = 5ms,
        .replayed_time = 5ms,
        .powers = {CalibratedClass::Power{.power = Watts{watts}, .deviation = 0.01, .windows = 9}}};
  };
  auto calibration = std::make_shared<Calibration>();
  calibration->key.domains = {"package-0"};
  calibration->classes = {one("a", 90.0), one("b", 60.0)};
  RunSession session({.power = &power,
                      .models = &models,
                      .profiler = {.clock = &clock},
                      .calibration = [&](LoadedModel&, const RunTask&, PowerMonitor&,
                                         const std::stop_token&) { return calibration; }});
  for (const Depth depth : {Depth::module, Depth::deep}) {
    RunTask task{.model = script.string(), .depth = depth};
    task.generate.max_tokens = 1000;
    const RunOutcome outcome = session.perform(task, {});
    ASSERT_FALSE(outcome.error) << outcome.error->message;
    const ProfiledRun& run = *outcome.run;
    ASSERT_TRUE(run.calibration);
    EXPECT_EQ(run.calibration->classes, 2U);
    EXPECT_GT(run.calibration->time_share, 0.99);
    ASSERT_TRUE(run.calibration->power_ratio);
    EXPECT_NEAR(*run.calibration->power_ratio, 50.0 / 75.0, 0.01);  // at half the clock, say
    const auto energy = [&](const char* component) {
      const auto found = std::ranges::find(run.components, component, &ComponentFigure::component);
      return found->figure.total->value();
    };
    EXPECT_NEAR(energy("a") / energy("b"), 1.5, 0.02);
  }
}

}  // namespace
}  // namespace enprof
