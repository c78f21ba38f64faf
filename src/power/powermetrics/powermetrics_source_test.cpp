#include "power/powermetrics/powermetrics_source.hpp"

#include "support/fake_powermetrics.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <map>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::apple_document;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::powermetrics_document;
using testing::real_entry;

std::size_t open_descriptors() {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

/// The number of our ended children that were not reaped.
std::size_t zombies() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "stat");
    std::string line;
    std::getline(in, line);
    const auto name_end = line.rfind(')');
    if (name_end != std::string::npos && line.substr(name_end + 2, 1) == "Z" &&
        line.contains(" " + std::to_string(getpid()) + " ")) {
      ++count;
    }
  }
  return count;
}

class PowermetricsSourceTest : public ::testing::Test {
 protected:
  PowerEnvironment environment() const {
    PowerEnvironment result;
    result.powermetrics_command = fake_.command(interval_ms_);
    return result;
  }
  Error refusal() const {
    const auto source = PowermetricsSource::open(environment());
    EXPECT_FALSE(source);
    return source ? Error{} : source.error();
  }
  void open_and_start() {
    auto opened = PowermetricsSource::open(environment());
    ASSERT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    const auto started = source_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  /// Polls until the condition holds, or the source is gone; keeps windows, readings and faults.
  /// The programs that it reads live in real time.
  template <class Condition>
  void poll_until(Condition condition) {
    testing::wait_until("the source has given what the test waits for", [&] {
      if (condition()) {
        return true;
      }
      asked_ = monotonic_clock().now();
      const Poll poll = source_->poll(windows_);
      source_->append_readings(readings_);
      if (poll.outcome != PollOutcome::ok) {
        outcomes_.push_back(poll.outcome);
        faults_.push_back(poll.error);
      }
      return poll.outcome == PollOutcome::gone;
    });
  }
  [[nodiscard]] std::size_t windows_of(std::uint16_t domain) const {
    return static_cast<std::size_t>(std::ranges::count(windows_, domain, &EnergyWindow::domain));
  }
  [[nodiscard]] bool has_fault(std::string_view text) const {
    return std::ranges::any_of(faults_,
                               [&](const Error& error) { return error.message.contains(text); });
  }
  /// Checks the power of the whole chip in each window.
  void expect_no_more_than(double watts) const {
    for (const EnergyWindow& window : windows_) {
      if (window.domain == 0) {
        EXPECT_LE((window.energy / window.duration()).value(), watts * (1 + 1e-9));
      }
    }
  }
  void expect_windows_to_be_in_order() const {
    std::map<std::uint16_t, Instant> ends;
    for (const EnergyWindow& window : windows_) {
      EXPECT_LT(window.begin, window.end);
      if (const auto before = ends.find(window.domain); before != ends.end()) {
        EXPECT_GE(window.begin, before->second) << "windows overlap";
      }
      ends[window.domain] = window.end;
    }
  }

  testing::FakePowermetrics fake_{"steady"};
  std::string interval_ms_ = "50";
  std::unique_ptr<PowermetricsSource> source_;
  std::vector<EnergyWindow> windows_;
  std::vector<SensorReading> readings_;
  Instant asked_;  // when the last poll was asked for
  std::vector<PollOutcome> outcomes_;
  std::vector<Error> faults_;
};

TEST_F(PowermetricsSourceTest, MeasuresTheChipAndItsParts) {
  open_and_start();
  std::vector<std::string> names;
  for (const Domain& domain : source_->domains()) {
    names.push_back(domain.name);
    EXPECT_EQ(domain.source, "powermetrics");
    EXPECT_EQ(domain.period, 50ms);
    EXPECT_EQ(domain.is_root(), domain.name == "soc");
  }
  EXPECT_THAT(names, ElementsAre("soc", "cpu", "gpu", "ane"));
  EXPECT_THAT(source_->description(), HasSubstr("soc, cpu, gpu, ane"));
  poll_until([&] { return windows_of(0) >= 8; });
  EXPECT_TRUE(faults_.empty()) << faults_.front().message;
  expect_windows_to_be_in_order();
  expect_no_more_than(3);
  std::map<std::uint16_t, Joules> energy;
  for (const EnergyWindow& window : windows_) {
    energy[window.domain] += window.energy;
  }
  EXPECT_NEAR(energy[1] / energy[0], 2.0 / 3, 1e-9);
  EXPECT_NEAR(energy[2] / energy[0], 0.25, 1e-9);
  EXPECT_NEAR(energy[3] / energy[0], 0.25 / 3, 1e-9);
}

// So that the poll at the end of a run includes the run's end.
TEST_F(PowermetricsSourceTest, APollWaitsForTheWindowThatIsUnderWay) {
  interval_ms_ = "1000";  // it writes far more often, so it writes during the wait
  open_and_start();
  poll_until([&] { return windows_of(0) >= 1; });
  for (int round = 0; round < 3; ++round) {
    windows_.clear();
    EXPECT_EQ(source_->poll(windows_).outcome, PollOutcome::ok);
    EXPECT_FALSE(windows_.empty());
  }
}

TEST_F(PowermetricsSourceTest, TellsThermalPressureAndTheGpusState) {
  open_and_start();
  poll_until([&] { return readings_.size() >= 6; });
  const auto value = [&](SensorQuantity quantity) {
    const auto reading = std::ranges::find(readings_, quantity, &SensorReading::quantity);
    return reading == readings_.end() ? std::pair{99, -1.0}
                                      : std::pair{int{reading->domain}, reading->value};
  };
  EXPECT_EQ(value(SensorQuantity::thermal_pressure), (std::pair{0, 1.0}));
  EXPECT_EQ(value(SensorQuantity::utilization_ratio), (std::pair{2, 0.25}));
  EXPECT_EQ(value(SensorQuantity::clock_hz), (std::pair{2, 338e6}));
}

TEST_F(PowermetricsSourceTest, IntelHasOnePackage) {
  fake_.set_document(powermetrics_document(real_entry("package_joules", "1.5")));
  open_and_start();
  ASSERT_EQ(source_->domains().size(), 1U);
  EXPECT_EQ(source_->domains()[0].name, "package-0");
  EXPECT_EQ(source_->domains()[0].kind, DomainKind::package);
  poll_until([&] { return windows_of(0) >= 2; });
}

TEST_F(PowermetricsSourceTest, AKeyThatGoesMissingIsAGapOfItsRailOnly) {
  open_and_start();
  poll_until([&] { return windows_of(3) >= 1; });
  fake_.set_document(powermetrics_document(real_entry("combined_power", "3000") +
                                           real_entry("gpu_power", "nan") +
                                           real_entry("cpu_power", "2000")));
  poll_until([&] { return has_fault("impossible values in a sample of powermetrics: 1"); });
  windows_.clear();
  poll_until([&] { return windows_of(1) >= 3; });
  EXPECT_EQ(windows_of(0), windows_of(1));
  EXPECT_EQ(windows_of(2), 0U);
  EXPECT_EQ(windows_of(3), 0U);
}

TEST_F(PowermetricsSourceTest, GarbageHalfAndOversizedDocumentsAreSkippedAndCounted) {
  fake_.set_script(
      "[ \"$calls\" = 1 ] && steady\n"
      "sample; sleep 0.05; sample; sleep 0.05\n"
      "printf 'garbage\\0'; sleep 0.05; sample; sleep 0.05\n"
      "head -c 300 \"$dir/document\"; sleep 0.05; sample; sleep 0.05\n"
      "head -c 2000000 /dev/zero | tr '\\0' x; printf '\\0'; sample; sleep 0.05\n"
      "steady");
  open_and_start();
  poll_until([&] { return source_->skipped() >= 3 && windows_of(0) >= 6; });
  EXPECT_EQ(source_->skipped(), 3U);
  EXPECT_TRUE(has_fault("begins with 'garbage'"));
  EXPECT_TRUE(has_fault("cut off by the next"));
  EXPECT_TRUE(has_fault("longer than 1048576 bytes"));
  expect_windows_to_be_in_order();
  EXPECT_EQ(fake_.calls(), 2) << "invalid documents do not cause a restart";
}

TEST_F(PowermetricsSourceTest, APasswordIsPermissionDeniedWithTheExactLine) {
  fake_.set_sudo("echo 'sudo: a password is required' >&2; exit 1");
  const Error error = refusal();
  EXPECT_EQ(error.code, ErrorCode::permission_denied);
  EXPECT_THAT(error.message, HasSubstr("a password is required"));
  EXPECT_THAT(error.hint, HasSubstr("ALL=(root) NOPASSWD: " + fake_.path().string() +
                                    "/powermetrics -f plist -i 50 --samplers "
                                    "cpu_power\\,gpu_power\\,thermal"));
  EXPECT_EQ(fake_.calls(), 0);
}

TEST_F(PowermetricsSourceTest, NotInstalledIsNotFound) {
  std::filesystem::remove(fake_.path() / "powermetrics");
  EXPECT_EQ(refusal().code, ErrorCode::not_found);
}

TEST_F(PowermetricsSourceTest, DyingAtOnceNamesTheExitCodeAndWhatItSaid) {
  fake_.set_script("echo 'unrecognized sampler: cpu_power' >&2; exit 64");
  const Error error = refusal();
  EXPECT_EQ(error.code, ErrorCode::process_exited);
  EXPECT_THAT(error.message, HasSubstr("exit code 64: unrecognized sampler: cpu_power"));
}

TEST_F(PowermetricsSourceTest, DyingBetweenOpenAndStartIsAnErrorOfStart) {
  fake_.set_script("[ \"$calls\" = 1 ] && steady\nexit 3");
  auto opened = PowermetricsSource::open(environment());
  ASSERT_TRUE(opened);
  const auto started = (*opened)->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::process_exited);
}

TEST_F(PowermetricsSourceTest, OneThatNeverAnswersIsUnavailable) {
  fake_.set_script("exec sleep 60");
  const Error error = refusal();
  EXPECT_EQ(error.code, ErrorCode::unavailable);
  EXPECT_THAT(error.message, HasSubstr("no sample"));
}

TEST_F(PowermetricsSourceTest, OneThatWritesNothingOfUseSaysWhatItWrote) {
  fake_.set_document("powermetrics 3.14");
  const Error error = refusal();
  EXPECT_EQ(error.code, ErrorCode::malformed);
  EXPECT_THAT(error.message, HasSubstr("powermetrics 3.14"));
}

TEST_F(PowermetricsSourceTest, DyingInMidRunKeepsWhatCameAndStartsAnew) {
  fake_.set_script(
      "[ \"$calls\" = 1 ] && steady\n"
      "[ \"$calls\" = 2 ] || steady\n"
      "sample; sleep 0.05; sample; sleep 0.05; sample; echo 'out of joules' >&2; exit 5");
  open_and_start();
  poll_until([&] { return has_fault("exit code 5: out of joules"); });
  EXPECT_EQ(windows_of(0), 3U) << "windows from before its death are kept";
  const Instant died = windows_.back().end;
  poll_until([&] { return windows_of(0) >= 6; });
  EXPECT_EQ(fake_.calls(), 3);
  expect_windows_to_be_in_order();
  const auto after = std::ranges::find_if(
      windows_, [&](const EnergyWindow& window) { return window.begin >= died; });
  ASSERT_NE(after, windows_.end());
  EXPECT_GE(after->begin - died, 50ms) << "the pause must be a gap: it was not measured";
  EXPECT_THAT(outcomes_, ElementsAre(PollOutcome::retry));
}

TEST_F(PowermetricsSourceTest, KilledInMidRunItStartsAnew) {
  open_and_start();
  poll_until([&] { return windows_of(0) >= 2; });
  const auto pid = source_->pid();
  ASSERT_TRUE(pid);
  ::kill(*pid, SIGKILL);
  poll_until([&] { return has_fault("signal 9"); });
  windows_.clear();
  poll_until([&] { return windows_of(0) >= 2; });
  EXPECT_NE(source_->pid(), pid);
}

TEST_F(PowermetricsSourceTest, OneThatKeepsDyingIsStartedEverMoreRarely) {
  fake_.set_script(
      "[ \"$calls\" -le 2 ] || exit 1\n"
      "[ \"$calls\" = 1 ] && steady\nsample; exit 1");
  open_and_start();
  std::vector<Instant> asked;  // each death was noticed between these
  std::vector<Instant> answered;
  while (asked.size() < 4) {
    poll_until([&, before = faults_.size()] { return faults_.size() > before; });
    asked.push_back(asked_);
    answered.push_back(monotonic_clock().now());
  }
  // 0.1, 0.2 and 0.4 s at least: nothing can be faster than the pauses, which begin when a death is
  // noticed.
  EXPECT_GE(answered[1] - asked[0], 100ms);
  EXPECT_GE(answered[2] - asked[1], 200ms);
  EXPECT_GE(answered[3] - asked[2], 400ms);
}

TEST_F(PowermetricsSourceTest, AHangIsNoticedAndThenEnded) {
  fake_.set_script(
      "[ \"$calls\" = 2 ] || steady\n"
      "sample; sleep 0.05; sample; exec sleep 600");
  open_and_start();
  poll_until([&] { return has_fault("has written no sample for"); });
  EXPECT_EQ(fake_.calls(), 2) << "noticed before it is restarted";
  EXPECT_THAT(outcomes_, ElementsAre(PollOutcome::retry));
  windows_.clear();
  poll_until([&] { return windows_of(0) >= 2; });
  EXPECT_EQ(fake_.calls(), 3);
  EXPECT_THAT(outcomes_, ElementsAre(PollOutcome::retry)) << "one hang is one fault";
}

// As after Ctrl-Z: a sample that covers two seconds comes 50 ms after a late one.
TEST_F(PowermetricsSourceTest, ASampleAcrossAStopIsNoPeak) {
  std::ofstream(fake_.path() / "long") << apple_document(2'000'000'000);
  fake_.set_script(
      "[ \"$calls\" = 1 ] && steady\n"
      "sample; sleep 0.05; cat \"$dir/long\"; printf '\\0'; sleep 0.05; steady");
  open_and_start();
  poll_until([&] { return windows_of(0) >= 6; });
  expect_windows_to_be_in_order();
  expect_no_more_than(3);
}

TEST_F(PowermetricsSourceTest, AStopOfBothIsNoReasonToStartItAnew) {
  open_and_start();
  poll_until([&] { return windows_of(0) >= 2; });
  ASSERT_TRUE(source_->pid());
  ::kill(*source_->pid(), SIGSTOP);
  // A real program stands still for real time: more than what is taken for the end of it.
  std::this_thread::sleep_for(1'500ms);
  ::kill(*source_->pid(), SIGCONT);
  windows_.clear();
  poll_until([&] { return windows_of(0) >= 3; });
  EXPECT_EQ(fake_.calls(), 2);
  expect_windows_to_be_in_order();
  expect_no_more_than(3);
}

TEST_F(PowermetricsSourceTest, ARightThatIsTakenAwayIsGone) {
  open_and_start();
  fake_.set_sudo("echo 'sudo: a password is required' >&2; exit 1");
  ::kill(*source_->pid(), SIGKILL);
  poll_until([] { return false; });
  EXPECT_EQ(outcomes_.back(), PollOutcome::gone);
  EXPECT_EQ(faults_.back().code, ErrorCode::permission_denied);
  ASSERT_FALSE(source_->start());
}

TEST_F(PowermetricsSourceTest, SudoThatIsNotTheProgramItselfIsEndedWithIt) {
  // Like sudo: a process that waits for the program, which is another process.
  fake_.set_sudo("shift\n\"$@\" &\nchild=$!\ntrap 'kill $child' TERM\nwait $child\nexit $?\n");
  open_and_start();
  poll_until([&] { return windows_of(0) >= 2; });
  source_->stop();
  EXPECT_EQ(source_->pid(), std::nullopt);
  EXPECT_EQ(zombies(), 0U);
}

TEST_F(PowermetricsSourceTest, LeavesNoProcessZombieOrDescriptorBehind) {
  open_and_start();
  source_.reset();
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 5; ++round) {
    open_and_start();
    poll_until([&] { return windows_of(0) >= 1; });
    const auto pid = *source_->pid();
    source_->stop();
    EXPECT_NE(::kill(pid, 0), 0) << "it still runs";
    EXPECT_TRUE(source_->start()) << "a source may be started again";
    source_.reset();
    windows_.clear();
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(zombies(), 0U);
}

TEST_F(PowermetricsSourceTest, WorksAsASourceOfAMonitor) {
  auto monitor = PowerMonitor::open("powermetrics", environment());
  ASSERT_TRUE(monitor) << monitor.error().message;
  const Instant begin = monotonic_clock().now();
  ASSERT_TRUE(monitor->start());
  testing::wait_until("there are windows", [&] {
    monitor->sync();
    return !monitor->windows(begin, monotonic_clock().now()).empty();
  });
  EXPECT_GT(monitor->now().energy_since_start, Joules{0});
  monitor->stop();
  EXPECT_EQ(zombies(), 0U) << "the program still ran after the monitor was stopped";
}

}  // namespace
}  // namespace enprof
