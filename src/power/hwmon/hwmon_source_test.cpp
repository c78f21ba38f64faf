#include "power/hwmon/hwmon_source.hpp"

#include "support/fake_hwmon.hpp"
#include "support/fake_sysfs.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <iterator>
#include <tuple>

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
  EXPECT_THAT(source_->description(), HasSubstr("hwmon2 of amdgpu reports 0 W"));
}

TEST_F(HwmonSourceTest, ACardThatIsAsleepIsSaidToBeLeftOut) {
  auto apu = amd_card("15000000");
  apu["in1_input"] = "700";
  hwmon_.add(1, "amdgpu", apu);
  hwmon_.add(2, "amdgpu", amd_card("0"));
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"package-0"}));
  ASSERT_EQ(source_->faults().size(), 1U);
  EXPECT_EQ(source_->faults()[0].code, "sensor_left_out");
  EXPECT_THAT(source_->faults()[0].error.message, HasSubstr("hwmon2 of amdgpu reports 0 W"));
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

testing::FakeHwmon::Files rails(
    const std::vector<std::tuple<std::string, int, int>>& rails) {  // label, mV, mA
  testing::FakeHwmon::Files files;
  int number = 1;
  for (const auto& [label, volts, amps] : rails) {
    const std::string in = "in" + std::to_string(number);
    files[in + "_label"] = label;
    files[in + "_input"] = std::to_string(volts);
    files["curr" + std::to_string(number++) + "_input"] = std::to_string(amps);
  }
  return files;
}

// rbonghi/jetson_stats, issue 344: no rail of an AGX Orin sees the whole.
TEST_F(HwmonSourceTest, RailsThatMakeUpAModuleAreAddedUp) {
  auto first = rails(
      {{"VDD_GPU_SOC", 19'000, 600}, {"VDD_CPU_CV", 19'000, 300}, {"VIN_SYS_5V0", 5'000, 800}});
  first["in7_label"] = "sum of shunt voltages";
  first["in7_input"] = "0";
  hwmon_.add(1, "ina3221", first);
  hwmon_.add(2, "ina3221",
             {{"in1_label", "NC"},
              {"in1_input", "0"},
              {"curr1_input", "0"},
              {"in2_label", "VDDQ_VDD2_1V8AO"},
              {"in2_input", "5000"},
              {"curr2_input", "160"},
              {"in3_label", "NC"}});
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"module-0"}));
  ASSERT_EQ(source_->domains().size(), 5U) << "what is not connected is no rail";
  run(5s, [](double) {});
  EXPECT_NEAR(sum("module-0").joules / sum("module-0").covered, 11.4 + 5.7 + 4, 1e-6)
      << "the fourth is fed by the third";
  EXPECT_NEAR(sum("ina3221/VDD_GPU_SOC").joules / sum("ina3221/VDD_GPU_SOC").covered, 11.4, 1e-6);
  ASSERT_EQ(source_->faults().size(), 1U);
  EXPECT_EQ(source_->faults()[0].code, "rails_added");
  EXPECT_THAT(source_->faults()[0].error.message,
              HasSubstr("module-0 is the sum of the rails VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0"));
  // A part of the sum is no sum.
  const double before = sum("module-0").covered;
  hwmon_.set(1, "curr2_input", "");
  run(1s, [](double) {});
  EXPECT_NEAR(sum("module-0").covered, before, 1.1);
  EXPECT_GT(retries_, 0);
}

TEST_F(HwmonSourceTest, AnAgxXavierHasSix) {
  hwmon_.add(4, "ina3221",
             rails({{"GPU", 19'000, 500}, {"CPU", 19'000, 200}, {"SOC", 19'000, 100}}));
  hwmon_.add(5, "ina3221",
             rails({{"CV", 19'000, 50}, {"VDDRQ", 19'000, 40}, {"SYS5V", 5'000, 700}}));
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"module-0"}));
  run(5s, [](double) {});
  EXPECT_NEAR(sum("module-0").joules / sum("module-0").covered, 19 * 0.89 + 3.5, 1e-6);
}

TEST_F(HwmonSourceTest, WhereARailOfTheSumIsMissingThereIsNoSum) {
  hwmon_.add(1, "ina3221", rails({{"VDD_GPU_SOC", 19'000, 600}, {"VIN_SYS_5V0", 5'000, 800}}));
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"ina3221/VDD_GPU_SOC"}));
  EXPECT_EQ(source_->domains()[0].scope, DomainScope::unclear);
}

// ocerman/zenpower, issue 39: core and SoC are two planes.
TEST_F(HwmonSourceTest, PlanesOfACpuAreAddedUp) {
  hwmon_.add(4, "zenpower",
             {{"power1_input", "45000000"},
              {"power1_label", "SVI2_P_Core"},
              {"power2_input", "14000000"},
              {"power2_label", "SVI2_P_SoC"}});
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"package-0"}));
  run(5s, [](double) {});
  EXPECT_NEAR(sum("package-0").joules / sum("package-0").covered, 59, 1e-6);
  ASSERT_EQ(source_->faults().size(), 1U);
  EXPECT_EQ(source_->faults()[0].code, "rails_added");
  std::vector<Domain> all{domain_from_name("package-0")};
  all[0].source = "rapl";
  std::ranges::copy(source_->domains(), std::back_inserter(all));
  link_parents(all);
  EXPECT_EQ(std::ranges::count_if(all, &Domain::is_root), 1) << "RAPL counts the same CPU";
}

TEST_F(HwmonSourceTest, SocketsHaveTheirOwnPlanes) {
  for (const int socket : {0, 1}) {
    const std::string cpu = "cpu" + std::to_string(socket) + " ";
    hwmon_.add(socket, "zenpower",
               {{"power1_input", std::to_string(40 + 10 * socket) + "000000"},
                {"power1_label", cpu + "SVI2_P_Core"},
                {"power2_input", "10000000"},
                {"power2_label", cpu + "SVI2_P_SoC"}});
  }
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"package-0", "package-1"}));
  run(5s, [](double) {});
  EXPECT_NEAR(sum("package-0").joules / sum("package-0").covered, 50, 1e-6);
  EXPECT_NEAR(sum("package-1").joules / sum("package-1").covered, 60, 1e-6);
}

TEST_F(HwmonSourceTest, ThePackageOfZenpowerHoldsItsCores) {
  hwmon_.add(1, "zenpower",
             {{"power1_input", "80000000"},
              {"power1_label", "RAPL_P_Package"},
              {"power2_input", "50000000"},
              {"power2_label", "RAPL_P_Core"}});
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"package-0"}));
  EXPECT_TRUE(source_->faults().empty());
}

// Which of two dies sees which plane is not known.
TEST_F(HwmonSourceTest, PlanesThatAreThereTwiceAreNotAddedUp) {
  for (const int chip : {1, 2}) {
    hwmon_.add(chip, "zenpower",
               {{"power1_input", "45000000"},
                {"power1_label", "SVI2_P_Core"},
                {"power2_input", "14000000"},
                {"power2_label", "SVI2_P_SoC"}});
  }
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"zenpower/SVI2_P_Core"}));
}

// The firmware's word for what it does not know.
TEST_F(HwmonSourceTest, AValueThatCannotBeIsNoSensor) {
  hwmon_.add(1, "amdgpu", amd_card("50000000"));
  hwmon_.add(2, "power_meter", {{"power1_average", "4294967295000"}});
  hwmon_.add(3, "amdgpu", amd_card("-5000000"));
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"gpu-0"})) << "no platform that never speaks";
  ASSERT_EQ(source_->faults().size(), 2U);
  for (const Incident& fault : source_->faults()) {
    EXPECT_EQ(fault.code, "sensor_left_out");
    EXPECT_THAT(fault.error.message, HasSubstr("which it cannot draw"));
  }
  const auto gpus = try_open(HwmonSource::Which::gpus);
  ASSERT_TRUE(gpus);
  EXPECT_EQ((*gpus)->faults().size(), 1U) << "of what is not looked for, nothing is told";
}

TEST_F(HwmonSourceTest, ASocketThatCannotBeReadStaysAndIsAFault) {
  hwmon_.add(4, "amd_energy",
             {{"energy1_input", "1000000000"},
              {"energy1_label", "Esocket0"},
              {"energy2_input", "no"},
              {"energy2_label", "Esocket1"}});
  open();
  EXPECT_EQ(roots(), (std::vector<std::string>{"package-0", "package-1"}));
  ASSERT_EQ(source_->faults().size(), 1U);
  EXPECT_EQ(source_->faults()[0].code, "counter_unreadable");
  EXPECT_THAT(source_->faults()[0].error.message, HasSubstr("package-1 cannot be read"));
}

TEST_F(HwmonSourceTest, OneOfTwoSuppliesIsNotTheMachine) {
  hwmon_.add(1, "corsairpsu", {{"power1_input", "200000000"}, {"power1_label", "power total"}});
  hwmon_.add(2, "corsairpsu", {{"power1_input", ""}, {"power1_label", "power total"}});
  open();
  ASSERT_EQ(source_->domains().size(), 1U);
  EXPECT_EQ(source_->domains()[0].scope, DomainScope::unclear);
  ASSERT_EQ(source_->faults().size(), 1U);
  EXPECT_EQ(source_->faults()[0].code, "sensor_left_out");
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
