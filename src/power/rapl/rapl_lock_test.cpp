// What a locked RAPL source says where the machine lets it sleep too long to meet a step.
#include "power/rapl/rapl_source.hpp"
#include "support/counter_machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::CounterMachine;

constexpr double kWatts = 40;
constexpr std::uint32_t kFreeNs = 281'909;  // of a stamp that may lie anywhere in a step: step/√12

/// Wakes late, once it is told to, as on a machine whose CPUs all compute.
class LateSleeper final : public Sleeper {
 public:
  explicit LateSleeper(CounterMachine& machine) : machine_(machine) {}
  void sleep_until(Instant until) const override {
    machine_.sleeper().sleep_until(until);
    if (is_late) {
      machine_.pass(Nanoseconds{lateness_(random_)});
    }
  }
  bool is_late = false;

 private:
  CounterMachine& machine_;
  mutable std::minstd_rand random_{7};
  mutable std::uniform_int_distribution<Nanoseconds::rep> lateness_{400'000, 1'400'000};
};

class RaplLockTest : public ::testing::Test {
 protected:
  RaplLockTest() {
    machine_.add("package-0", "intel-rapl:0", "package-0", 1'000'000, 262'143'328'850, 0ns);
    machine_.draw("package-0", kWatts);
    auto opened = RaplSource::open({.sysfs_root = machine_.sysfs_root(),
                                    .procfs_root = machine_.procfs_root(),
                                    .clock = &machine_.clock(),
                                    .boot_clock = &machine_.boot_clock(),
                                    .sleeper = &sleeper_});
    EXPECT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    EXPECT_TRUE(source_->start());
  }

  std::vector<EnergyWindow> windows_of(int polls) {
    std::vector<EnergyWindow> windows;
    for (int poll = 0; poll < polls; ++poll) {
      machine_.pass(9ms);
      for (const Incident& incident : source_->poll(windows).incidents) {
        codes_.insert(incident.code);
      }
    }
    return windows;
  }
  /// Root mean square of how wrong the windows' times were, as their energy tells.
  double error_ns(const std::vector<EnergyWindow>& windows) {
    double squares = 0;
    for (const EnergyWindow& window : windows) {
      const Joules wrong = window.energy - machine_.used("package-0", window.begin, window.end);
      squares += std::pow(wrong.value() / kWatts * 1e9, 2);
    }
    return std::sqrt(squares / static_cast<double>(windows.size()));
  }

  CounterMachine machine_;
  LateSleeper sleeper_{machine_};
  std::unique_ptr<RaplSource> source_;
  std::set<std::string> codes_;
};

TEST_F(RaplLockTest, WindowsThatEndAtAStepHaveTheDomainsError) {
  const auto windows = windows_of(200);
  ASSERT_GE(windows.size(), 190U);
  const Nanoseconds claimed = source_->domains()[0].stamp_error;
  EXPECT_LT(claimed, 5us);
  for (const EnergyWindow& window : windows) {
    EXPECT_EQ(window.stamp_error_ns, 0U);
  }
  EXPECT_LT(error_ns(windows), 3 * std::sqrt(2.0) * static_cast<double>(claimed.count()));
  EXPECT_THAT(codes_, ::testing::IsEmpty());
}

TEST_F(RaplLockTest, ThoseOfReadingsThatMissedItSaySo) {
  sleeper_.is_late = true;
  static_cast<void>(windows_of(5));  // until it has noticed
  const auto windows = windows_of(400);
  ASSERT_GE(windows.size(), 350U);
  const auto missed =
      std::ranges::count_if(windows, [](const auto& window) { return window.stamp_error_ns > 0; });
  EXPECT_GT(missed, 250);
  for (const EnergyWindow& window : windows) {
    EXPECT_THAT(window.stamp_error_ns, ::testing::AnyOf(0U, kFreeNs));
  }
  // What is claimed is what there is: both ends have that error.
  const double expected = std::sqrt(2.0) * static_cast<double>(kFreeNs);
  EXPECT_GT(error_ns(windows), 0.6 * expected);
  EXPECT_LT(error_ns(windows), 1.2 * expected);
  EXPECT_THAT(codes_, ::testing::ElementsAre("counter_not_locked"));
}

TEST_F(RaplLockTest, ItCountsOnBetweenPolls) { EXPECT_TRUE(source_->counts_on()); }

}  // namespace
}  // namespace enprof
