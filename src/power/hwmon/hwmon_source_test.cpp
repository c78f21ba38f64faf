#include "power/hwmon/hwmon_source.hpp"

#include "support/fake_hwmon.hpp"
#include "support/fake_sysfs.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Stands still but for a microsecond at each look: who polls until something happens gets on.
class TickingClock final : public Clock, public Sleeper {
 public:
  [[nodiscard]] Instant now() const noexcept override { return now_ += 1us; }
  void advance(Nanoseconds duration) { now_ += duration; }
  void sleep_until(Instant instant) const override { now_ = std::max(now_, instant); }

 private:
  mutable Instant now_{1h};
};

class HwmonSourceTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<HwmonSource>> try_open(
      HwmonSource::Which which = HwmonSource::Which::all) {
    return HwmonSource::open({.sysfs_root = hwmon_.root(), .clock = &clock_, .sleeper = &clock_},
                             which);
  }
  void open() {
    auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    const auto started = source_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  /// Polls every 20 ms; `each` sets the files to how they are at the time since the begin.
  void run(Nanoseconds duration, const std::function<void(double seconds)>& each) {
    const Instant begin = clock_.now();
    while (clock_.now() - begin < duration) {
      clock_.advance(20ms);
      each(seconds(clock_.now() - begin));
      last_ = source_->poll(windows_);
      retries_ += last_.outcome == PollOutcome::retry ? 1 : 0;
    }
  }
  struct Sum {
    double joules = 0;
    double covered = 0;
    double span = 0;
  };
  [[nodiscard]] Sum sum(std::string_view name) const {
    const auto& domains = source_->domains();
    const auto found = std::ranges::find(domains, name, &Domain::name);
    EXPECT_NE(found, domains.end()) << name;
    Sum result;
    Instant begin, end;
    for (const EnergyWindow& window : windows_) {
      if (&domains[window.domain] != &*found) {
        continue;
      }
      EXPECT_GT(window.duration(), 0ns);
      if (result.covered > 0) {
        EXPECT_GE(window.begin, end);
      } else {
        begin = window.begin;
      }
      end = window.end;
      result.joules += window.energy.value();
      result.covered += seconds(window.duration());
    }
    result.span = seconds(end - begin);
    return result;
  }
  [[nodiscard]] std::vector<std::string> roots() const {
    std::vector<std::string> names;
    for (const Domain& domain : source_->domains()) {
      if (domain.is_root()) {
        names.push_back(domain.name);
      }
    }
    return names;
  }

  testing::FakeHwmon hwmon_;
  TickingClock clock_;
  std::unique_ptr<HwmonSource> source_;
  std::vector<EnergyWindow> windows_;
  Poll last_;
  int retries_ = 0;
};

testing::FakeHwmon::Files amd_card(const std::string& microwatts) {
  return {{"power1_average", microwatts}, {"power1_label", "PPT"}, {"in0_input", "900"}};
}

TEST_F(HwmonSourceTest, AnAmdCardIsAGpu) {
  hwmon_.add(3, "amdgpu", amd_card("50000000"));
  hwmon_.set(3, "device/unique_id", "0123456789abcdef");
  open();
  ASSERT_EQ(source_->domains().size(), 1U);
  const Domain& gpu = source_->domains()[0];
  EXPECT_EQ(gpu.name, "gpu-0");
  EXPECT_EQ(gpu.kind, DomainKind::gpu);
  EXPECT_EQ(gpu.scope, DomainScope::device);
  EXPECT_EQ(gpu.device, "0123456789abcdef");
  EXPECT_EQ(gpu.source, "hwmon");
  run(4s, [&](double time) {
    const double watts = time < 2 ? 50 + 100 * time : 250 - 60 * (time - 2);
    hwmon_.set(3, "power1_average", std::to_string(std::llround(watts * 1e6)));
  });
  EXPECT_NEAR(sum("gpu-0").joules, 150 * 2 + 190 * 2, 1);
  EXPECT_NEAR(sum("gpu-0").covered, 4, 0.05);
}

TEST_F(HwmonSourceTest, AnApuIsAPackageThatRaplMeasuresToo) {
  auto files = amd_card("15000000");
  files["in1_input"] = "700";
  files["in1_label"] = "vddnb";
  hwmon_.add(1, "amdgpu", files);
  open();
  EXPECT_EQ(source_->domains()[0].name, "package-0");
  std::vector<Domain> all{domain_from_name("package-0"), source_->domains()[0]};
  all[1].name = "hwmon:package-0";
  link_parents(all);
  EXPECT_TRUE(all[0].is_root());
  EXPECT_FALSE(all[1].is_root()) << "the same silicon, counted once";
}

TEST_F(HwmonSourceTest, TheSecondDieOfACardThatSaysZeroIsLeftOut) {
  hwmon_.add(1, "amdgpu", amd_card("89000000"));
  hwmon_.add(2, "amdgpu", amd_card("0"));
  hwmon_.add(10, "amdgpu", amd_card("93000000"));
  open();
  ASSERT_EQ(source_->domains().size(), 2U);
  EXPECT_EQ(source_->domains()[1].name, "gpu-1");
  EXPECT_THAT(source_->description(), HasSubstr("hwmon2 of amdgpu says 0 W"));
}

TEST_F(HwmonSourceTest, AnIntelCardCountsEnergy) {
  hwmon_.add(2, "xe",
             {{"energy1_input", "1000000000"},
              {"energy1_label", "card"},
              {"energy2_input", "900000000"},
              {"energy2_label", "pkg"}});
  open();
  ASSERT_EQ(source_->domains().size(), 1U) << "the card contains its package";
  EXPECT_EQ(source_->domains()[0].scope, DomainScope::board);
  run(2s, [&](double) { hwmon_.use(2, "energy1_input", 80 * 0.02); });
  EXPECT_NEAR(sum("gpu-0").joules, 160, 2);
  EXPECT_LE(source_->longest_interval(), 60s) << "its register wraps";
  hwmon_.set(2, "energy1_input", "5");
  clock_.advance(20ms);
  last_ = source_->poll(windows_);
  ASSERT_EQ(last_.incidents.size(), 1U) << "a reset is a gap";
  EXPECT_EQ(last_.incidents[0].code, "counter_reset");
  EXPECT_NEAR(sum("gpu-0").joules, 160, 2) << "and no petajoules";
}

TEST_F(HwmonSourceTest, SocketsThatAmdEnergyCountsArePackages) {
  hwmon_.add(4, "amd_energy",
             {{"energy1_input", "1000000000"},
              {"energy1_label", "Ecore000"},
              {"energy2_input", "1000000000"},
              {"energy2_label", "Esocket0"},
              {"energy3_input", "1000000000"},
              {"energy3_label", "Esocket1"}});
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"package-0", "package-1"}));
  run(1s, [&](double) {
    hwmon_.use(4, "energy2_input", 100 * 0.02);
    hwmon_.use(4, "energy3_input", 60 * 0.02);
  });
  EXPECT_NEAR(sum("package-0").joules, 100, 2.1);
  EXPECT_NEAR(sum("package-1").joules, 60, 1.3);
}

TEST_F(HwmonSourceTest, APowerSupplyContainsEverything) {
  hwmon_.add(1, "amdgpu", amd_card("50000000"));
  hwmon_.add(2, "corsairpsu",
             {{"power1_input", "300000000"},
              {"power1_label", "power total"},
              {"power2_input", "250000000"},
              {"power2_label", "power +12v"}});
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"psys"}));
  ASSERT_EQ(source_->domains().size(), 2U) << "its rails are in its total";
  EXPECT_EQ(source_->domains()[1].scope, DomainScope::machine);
  run(10s, [&](double) {});
  EXPECT_NEAR(sum("psys").joules / sum("psys").covered, 300, 1e-6);
  EXPECT_GE(sum("psys").covered, 8);
}

TEST_F(HwmonSourceTest, TwoSuppliesAddUpAndHalfOfThemIsNothing) {
  for (const int chip : {1, 2}) {
    hwmon_.add(chip, "corsairpsu",
               {{"power1_input", "200000000"}, {"power1_label", "power total"}});
  }
  open();
  ASSERT_EQ(source_->domains().size(), 1U);
  run(4s, [](double) {});
  EXPECT_NEAR(sum("psys").joules / sum("psys").covered, 400, 1e-6);
  const double before = sum("psys").covered;
  hwmon_.remove(2);
  run(2s, [](double) {});
  EXPECT_GT(retries_, 0);
  EXPECT_NEAR(sum("psys").covered, before, 1e-9) << "200 W would pass for the whole machine's";
}

TEST_F(HwmonSourceTest, AnAcpiMeterIsAMeanOverItsOwnTime) {
  hwmon_.add(0, "power_meter",
             {{"power1_average", "400000000"}, {"power1_average_interval", "1000"}});
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"psys"}));
  EXPECT_THAT(source_->description(), HasSubstr("mean over 1 s"));
  EXPECT_EQ(source_->domains()[0].period, 1s);
  run(10s, [&](double time) {
    const double mean = 400 + 100 * std::clamp(time - 4.5, 0.0, 1.0);
    hwmon_.set(0, "power1_average", std::to_string(std::llround(mean * 1e6)));
  });
  const Sum psys = sum("psys");
  EXPECT_NEAR(psys.joules, 400 * psys.span + 100 * (psys.span - 4.5), 100 * 1.5);
}

TEST_F(HwmonSourceTest, RailsOfTheBoardAreReadByVoltageAndCurrentAndNotAddedUp) {
  hwmon_.add(1, "ina3221",
             {{"in1_label", "VDD_CPU"},
              {"in1_input", "5000"},
              {"curr1_input", "400"},
              {"in2_label", "VIN_SYS"},
              {"in2_input", "5000"},
              {"curr2_input", "2000"},
              {"in3_label", "VDD_GPU"},
              {"in3_input", "5000"},
              {"curr3_input", "-1"}});
  open();
  EXPECT_EQ(source_->domains().size(), 3U);
  EXPECT_EQ(roots(), (std::vector<std::string>{"ina3221/VIN_SYS"}))
      << "the highest may contain all";
  run(5s, [](double) {});
  EXPECT_NEAR(sum("ina3221/VIN_SYS").joules / sum("ina3221/VIN_SYS").covered, 10, 1e-6);
  EXPECT_NEAR(sum("ina3221/VDD_CPU").joules / sum("ina3221/VDD_CPU").covered, 2, 1e-6);
  EXPECT_THAT(source_->description(), HasSubstr("not known what it is part of"));
}

TEST_F(HwmonSourceTest, AJetsonsInputContainsItsRails) {
  for (const char* const input : {"POM_5V_IN", "VDD_IN"}) {
    SCOPED_TRACE(input);
    hwmon_.add(1, "ina3221",
               {{"in1_label", input},
                {"in1_input", "5000"},
                {"curr1_input", "1000"},
                {"in2_label", "VDD_GPU"},
                {"in2_input", "5000"},
                {"curr2_input", "100"}});
    open();
    EXPECT_EQ(roots(), (std::vector<std::string>{"psys"}));
  }
}

TEST_F(HwmonSourceTest, BatteriesAreLeftToTheirOwnSource) {
  hwmon_.add(1, "BAT0", {{"power1_input", "9000000"}, {"device/type", "Battery"}});
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
}

TEST_F(HwmonSourceTest, OnlyGpusOnRequest) {
  hwmon_.add(1, "amdgpu", amd_card("50000000"));
  hwmon_.add(2, "corsairpsu", {{"power1_input", "300000000"}, {"power1_label", "power total"}});
  const auto opened = try_open(HwmonSource::Which::gpus);
  ASSERT_TRUE(opened);
  ASSERT_EQ((*opened)->domains().size(), 1U);
  EXPECT_EQ((*opened)->domains()[0].name, "gpu-0");
  EXPECT_TRUE((*opened)->domains()[0].is_root());
}

TEST_F(HwmonSourceTest, AFailedReadingIsNoZero) {
  hwmon_.add(1, "amdgpu", amd_card("50000000"));
  open();
  run(1s, [](double) {});
  const double before = sum("gpu-0").covered;
  for (const char* text : {"", "nonsense", "0", "99999999999999"}) {
    hwmon_.set(1, "power1_average", text);
    run(200ms, [](double) {});
    EXPECT_EQ(last_.outcome, PollOutcome::retry) << text;
    EXPECT_FALSE(last_.error.message.empty());
  }
  EXPECT_NEAR(sum("gpu-0").covered, before, 1e-9);
  hwmon_.set(1, "power1_average", "50000000");
  run(1s, [](double) {});
  EXPECT_NEAR(sum("gpu-0").joules / sum("gpu-0").covered, 50, 1e-6);
}

TEST_F(HwmonSourceTest, ATreeThatVanishesIsGoneAfterASecond) {
  hwmon_.add(1, "amdgpu", amd_card("50000000"));
  open();
  hwmon_.remove(1);
  int polls = 0;
  last_ = {};
  while (last_.outcome != PollOutcome::gone && ++polls < 200) {
    clock_.advance(20ms);
    last_ = source_->poll(windows_);
  }
  EXPECT_NEAR(polls, 51, 1);
  EXPECT_THAT(last_.error.message, HasSubstr("power1_average"));
}

TEST_F(HwmonSourceTest, WithoutRightsItNamesTheFileAndTheLineThatOpensIt) {
  hwmon_.add(4, "amd_energy", {{"energy1_input", "1000000000"}, {"energy1_label", "Esocket0"}});
  std::filesystem::permissions(hwmon_.path(4, "energy1_input"), std::filesystem::perms::none);
  std::filesystem::permissions(hwmon_.root(), std::filesystem::perms(0755));
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may read everything, and this process cannot become another user";
  }
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::permission_denied);
  EXPECT_THAT(opened.error().hint, HasSubstr("sudo chmod a+r"));
  EXPECT_THAT(opened.error().hint, HasSubstr("energy1_input"));
}

TEST_F(HwmonSourceTest, WithoutATreeThereIsNone) {
  const auto empty = try_open();
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, ErrorCode::not_found);
  const auto none = HwmonSource::open({.sysfs_root = "/nowhere", .clock = &clock_});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::not_found);
  EXPECT_THAT(none.error().message, HasSubstr("/nowhere/class/hwmon"));
}

}  // namespace
}  // namespace enprof
