#include "power/battery/battery_source.hpp"

#include "support/fake_hwmon.hpp"
#include "support/manual_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BatterySourceTest : public ::testing::Test {
 protected:
  void battery(const std::string& name, double watts, const std::string& status = "Discharging") {
    supplies_.supply(name, {{"type", "Battery"},
                            {"status", status},
                            {"power_now", std::to_string(std::llround(watts * 1e6))}});
  }
  Result<std::unique_ptr<BatterySource>> try_open() {
    return BatterySource::open({.sysfs_root = supplies_.root(), .clock = &clock_});
  }
  void open() {
    auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    ASSERT_TRUE(source_->start());
  }
  void run(Nanoseconds duration) {
    const Instant end = clock_.now() + duration;
    while (clock_.now() < end) {
      clock_.advance(100ms);
      last_ = source_->poll(windows_);
      if (last_.outcome == PollOutcome::retry) {
        ++retries_;
      }
      for (const Incident& incident : last_.incidents) {
        incidents_.push_back(incident.code);
      }
    }
  }
  [[nodiscard]] double joules() const {
    double sum = 0;
    for (const EnergyWindow& window : windows_) {
      EXPECT_EQ(window.domain, 0);
      sum += window.energy.value();
    }
    return sum;
  }
  [[nodiscard]] double covered() const {
    double sum = 0;
    for (const EnergyWindow& window : windows_) {
      sum += seconds(window.duration());
    }
    return sum;
  }

  testing::FakeHwmon supplies_;
  testing::ManualClock clock_;
  std::unique_ptr<BatterySource> source_;
  std::vector<EnergyWindow> windows_;
  Poll last_;
  int retries_ = 0;
  std::vector<std::string> incidents_;
};

TEST_F(BatterySourceTest, IsWhatTheWholeMachineDraws) {
  battery("BAT0", 12.5);
  open();
  ASSERT_EQ(source_->domains().size(), 1U);
  EXPECT_EQ(source_->domains()[0].name, "psys");
  EXPECT_EQ(source_->domains()[0].kind, DomainKind::psys);
  EXPECT_EQ(source_->domains()[0].scope, DomainScope::machine);
  EXPECT_THAT(source_->description(), HasSubstr("BAT0"));
  run(20s);
  EXPECT_NEAR(joules(), 12.5 * covered(), 1e-9);
  EXPECT_GE(covered(), 18);
}

TEST_F(BatterySourceTest, PowerThatChangesIsIntegrated) {
  battery("BAT0", 10);
  open();
  for (int second = 1; second <= 20; ++second) {
    battery("BAT0", 10 + second);
    run(1s);
  }
  EXPECT_NEAR(joules(), 10 * covered() + covered() * covered() / 2, 20)
      << "a second of lag at most";
  EXPECT_GE(covered(), 18);
}

TEST_F(BatterySourceTest, CurrentTimesVoltageWillDoWhateverTheSign) {
  supplies_.supply("BAT1", {{"type", "Battery"},
                            {"status", "Discharging"},
                            {"current_now", "-1500000"},
                            {"voltage_now", "12000000"}});
  open();
  run(10s);
  EXPECT_NEAR(joules() / covered(), 18, 1e-9);
}

TEST_F(BatterySourceTest, SeveralBatteriesAddUp) {
  battery("BAT0", 7);
  battery("BAT1", 5);
  battery("BAT2", 40, "Not charging");
  supplies_.supply("hidpp_battery_0", {{"type", "Battery"},
                                       {"scope", "Device"},
                                       {"status", "Discharging"},
                                       {"power_now", "1000000"}});
  open();
  run(10s);
  EXPECT_NEAR(joules() / covered(), 12, 1e-9) << "neither one at rest nor a mouse's";
}

TEST_F(BatterySourceTest, OnMainsItIsUnavailableAndSaysWhy) {
  for (const char* status : {"Charging", "Full", "Not charging", "Unknown"}) {
    battery("BAT0", 30, status);
    const auto opened = try_open();
    ASSERT_FALSE(opened) << status;
    EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
    EXPECT_THAT(opened.error().message, HasSubstr(std::string("BAT0 ") + status));
    EXPECT_THAT(opened.error().hint, HasSubstr("Pull the plug"));
  }
  // The battery helps a charger that is too weak: it gives a part of what the machine draws.
  battery("BAT0", 30);
  supplies_.supply("AC", {{"type", "Mains"}, {"online", "1"}});
  const auto helped = try_open();
  ASSERT_FALSE(helped);
  EXPECT_THAT(helped.error().message, HasSubstr("AC plugged in"));
  supplies_.supply("AC", {{"online", "0"}});
  EXPECT_TRUE(try_open());
}

// A charger of USB PD with a programmable voltage is online with 2 (sysfs-class-power).
TEST_F(BatterySourceTest, ChargersOfAllKindsAreNoticed) {
  struct Case {
    const char* type;
    const char* online;
    bool works;
  };
  for (const auto& [type, online, works] :
       {Case{"USB", "2", false}, Case{"USB", "1", false}, Case{"USB", "0", true},
        Case{"USB_PD", "1", false}, Case{"Mains", "2", false}, Case{"Wireless", "1", false},
        Case{"UPS", "1", true}}) {
    SCOPED_TRACE(std::string(type) + " " + online);
    battery("BAT0", 9);
    supplies_.supply("charger", {{"type", type}, {"online", online}});
    const auto opened = try_open();
    EXPECT_EQ(opened.has_value(), works);
    if (!opened) {
      EXPECT_THAT(opened.error().message, HasSubstr("charger plugged in"));
    }
    supplies_.remove_supply("charger");
  }
  supplies_.supply("pad", {{"type", "Wireless"}, {"scope", "Device"}, {"online", "1"}});
  supplies_.supply("port", {{"type", "USB"}});
  EXPECT_TRUE(try_open()) << "a mouse's pad, and a port that says nothing";
}

// systemd, pull request 25334: a bay without its battery.
TEST_F(BatterySourceTest, AnEmptyBayCountsForNothingUntilItIsFilled) {
  battery("BAT0", 9);
  supplies_.supply("BAT1", {{"type", "Battery"}, {"status", "Unknown"}, {"present", "0"}});
  open();
  run(4s);
  EXPECT_NEAR(joules() / covered(), 9, 1e-9);
  EXPECT_EQ(retries_, 0);
  battery("BAT1", 6);
  supplies_.supply("BAT1", {{"present", "1"}});
  windows_.clear();
  run(6s);
  EXPECT_NEAR(windows_.back().energy / windows_.back().duration() / Watts{1}, 15, 1e-9);
  supplies_.supply("BAT1", {{"present", "0"}});
  run(6s);
  EXPECT_NEAR(windows_.back().energy / windows_.back().duration() / Watts{1}, 9, 1e-9);
  EXPECT_EQ(retries_, 0);
}

TEST_F(BatterySourceTest, BaysThatAreAllEmptyAreNoBattery) {
  supplies_.supply("BAT0", {{"type", "Battery"}, {"status", "Unknown"}, {"present", "0"}});
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
  EXPECT_THAT(opened.error().message, HasSubstr("are empty"));
}

TEST_F(BatterySourceTest, OneThatRestsNeedNotTellItsPower) {
  battery("BAT0", 9);
  supplies_.supply("BAT1", {{"type", "Battery"}, {"status", "Not charging"}});
  open();
  run(4s);
  EXPECT_NEAR(joules() / covered(), 9, 1e-9);
  supplies_.supply("BAT1", {{"status", "Discharging"}});
  run(1s);
  EXPECT_EQ(last_.outcome, PollOutcome::retry) << "9 W are no longer what the machine draws";
  EXPECT_FALSE(try_open());
}

// ACPI's word for what it does not know.
TEST_F(BatterySourceTest, AnUnknownPowerIsNoPower) {
  supplies_.supply(
      "BAT0", {{"type", "Battery"}, {"status", "Discharging"}, {"power_now", "4294967295000"}});
  const auto unknown = try_open();
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("no battery gives"));
  supplies_.supply("BAT0", {{"current_now", "1000000"}, {"voltage_now", "12000000"}});
  open();
  run(4s);
  EXPECT_NEAR(joules() / covered(), 12, 1e-9) << "current and voltage do";
  supplies_.supply("BAT0", {{"current_now", "4294967295000"}});
  run(1s);
  EXPECT_EQ(last_.outcome, PollOutcome::retry);
}

TEST_F(BatterySourceTest, GoingToMainsIsAGapWithAWarning) {
  battery("BAT0", 10);
  supplies_.supply("AC", {{"type", "Mains"}, {"online", "0"}});
  open();
  run(10s);
  const double before = covered();
  battery("BAT0", 45, "Charging");
  supplies_.supply("AC", {{"online", "1"}});
  run(10s);
  EXPECT_EQ(retries_, 100);
  EXPECT_EQ(last_.error.code, ErrorCode::unavailable);
  EXPECT_NEAR(covered(), before, 1e-9) << "what charges is not what the machine draws";
  battery("BAT0", 10);
  supplies_.supply("AC", {{"online", "0"}});
  run(10s);
  EXPECT_EQ(retries_, 100);
  EXPECT_NEAR(joules(), 10 * covered(), 1e-9);
  EXPECT_LE(covered(), 20.1);
}

TEST_F(BatterySourceTest, ABatteryThatVanishesOrLiesIsNoZero) {
  battery("BAT0", 10);
  open();
  run(4s);
  const double before = covered();
  supplies_.supply("BAT0", {{"power_now", "0"}});
  run(1s);
  EXPECT_EQ(last_.outcome, PollOutcome::retry);
  supplies_.supply("BAT0", {{"power_now", "garbage"}});
  run(1s);
  EXPECT_EQ(last_.outcome, PollOutcome::retry);
  EXPECT_NEAR(covered(), before, 1e-9);
}

TEST_F(BatterySourceTest, ABatteryThatIsTakenOutIsGoneUntilItIsBack) {
  battery("BAT0", 10);
  open();
  run(4s);
  const double before = covered();
  supplies_.remove_supply("BAT0");
  run(100ms);
  EXPECT_EQ(last_.outcome, PollOutcome::gone);
  EXPECT_EQ(last_.error.code, ErrorCode::not_found);
  EXPECT_THAT(last_.error.message, HasSubstr("BAT0"));
  EXPECT_FALSE(source_->start());
  battery("BAT0", 10);
  ASSERT_TRUE(source_->start());
  EXPECT_NEAR(covered(), before, 1e-9);
  run(4s);
  EXPECT_GE(covered(), before + 2);
  EXPECT_LE(covered(), before + 4.1);
}

TEST_F(BatterySourceTest, WhatTheGaugeCountedIsACheck) {
  for (const double lie : {1.0, 2.0}) {
    battery("BAT0", 10 * lie);
    double held_uwh = 50e6;
    supplies_.supply("BAT0", {{"energy_now", std::to_string(std::llround(held_uwh))}});
    open();
    incidents_ = {};
    for (int second = 0; second < 200; ++second) {
      held_uwh -= 10 / 3600.0 * 1e6;
      supplies_.supply("BAT0",
                       {{"energy_now", std::to_string(std::llround(held_uwh / 1e4) * 10'000)}});
      run(1s);
    }
    if (lie == 1.0) {
      EXPECT_THAT(incidents_, IsEmpty());
    } else {
      EXPECT_THAT(incidents_, ElementsAre("gauge_mismatch")) << "told once";
    }
    EXPECT_EQ(retries_, 0) << "the readings are good";
  }
}

TEST_F(BatterySourceTest, WithoutABatteryThereIsNone) {
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
  supplies_.supply("BAT0", {{"type", "Battery"}, {"status", "Discharging"}, {"capacity", "80"}});
  const auto dumb = try_open();
  ASSERT_FALSE(dumb);
  EXPECT_EQ(dumb.error().code, ErrorCode::not_found);
  EXPECT_THAT(dumb.error().message, HasSubstr("current_now"));
}

}  // namespace
}  // namespace enprof
