#include "power/powermetrics/powermetrics_sample.hpp"

#include "support/fake_powermetrics.hpp"
#include "support/german_locale.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::powermetrics_document;
using testing::real_entry;

double mj(const PowermetricsSample& sample, PowermetricsRail rail) {
  const auto& energy = sample.energy(rail);
  return energy ? to_mj(*energy) : -1.0;
}

PowermetricsSample parsed(const std::string& document) {
  auto sample = parse_powermetrics_sample(document);
  EXPECT_TRUE(sample) << sample.error().message;
  return sample.value_or(PowermetricsSample{});
}

std::string refusal(const std::string& document) {
  const auto sample = parse_powermetrics_sample(document);
  EXPECT_FALSE(sample);
  EXPECT_TRUE(sample || sample.error().code == ErrorCode::malformed);
  return sample ? "" : sample.error().message;
}

TEST(PowermetricsSample, AppleSilicon) {
  const auto sample = parsed(testing::apple_document(100'000'000));
  EXPECT_EQ(sample.elapsed, 100ms);
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::cpu), 200);
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::gpu), 75);
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::ane), 25);
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::soc), 300);
  EXPECT_FALSE(sample.energy(PowermetricsRail::dram));
  EXPECT_FALSE(sample.energy(PowermetricsRail::package));
  EXPECT_EQ(sample.refused, 0U);
  EXPECT_EQ(sample.thermal_pressure, 1.0);
  EXPECT_EQ(sample.gpu_utilization, 0.25);
  EXPECT_EQ(sample.gpu_clock_hz, 338e6);  // named freq_hz, but in MHz
}

TEST(PowermetricsSample, EnergiesWhereThereIsNoPower) {
  const auto sample = parsed(powermetrics_document(
      "<key>cpu_energy</key><integer>1500</integer><key>dram_energy</key><integer>40</integer>"
      "<key>gpu_energy</key><integer>31</integer><key>gpu_power</key><real>620</real>"));
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::cpu), 1500);
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::dram), 40);
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::gpu), 31) << "power has the finer resolution";
  EXPECT_FALSE(sample.energy(PowermetricsRail::ane)) << "absent is not zero";
  EXPECT_FALSE(sample.energy(PowermetricsRail::soc));
}

TEST(PowermetricsSample, EarlySystemsNameTheChipPackage) {
  const auto sample = parsed(
      powermetrics_document(real_entry("cpu_power", "100") + real_entry("package_power", "140")));
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::soc), 7);
}

TEST(PowermetricsSample, Intel) {
  const auto sample = parsed(powermetrics_document(
      real_entry("package_joules", "1.25") + real_entry("package_watts", "25") +
      real_entry("freq_hz", "2600000000") + real_entry("cpu_power", "9999")));
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::package), 1250);
  EXPECT_FALSE(sample.energy(PowermetricsRail::cpu)) << "it lies in the package";
  const auto watts = parsed(powermetrics_document(real_entry("package_watts", "25")));
  EXPECT_DOUBLE_EQ(mj(watts, PowermetricsRail::package), 1250);
}

TEST(PowermetricsSample, AMeasuredZeroIsAZero) {
  const auto sample =
      parsed(powermetrics_document(real_entry("cpu_power", "10") + real_entry("ane_power", "0.0")));
  EXPECT_EQ(mj(sample, PowermetricsRail::ane), 0.0);
}

TEST(PowermetricsSample, ValuesThatCannotBeAreLeftOutAndCounted) {
  for (const char* const value : {"nan", "-nan", "inf", "-1", "-0.001", "1e300", "5000001"}) {
    const auto sample = parsed(
        powermetrics_document(real_entry("cpu_power", value) + real_entry("gpu_power", "10")));
    EXPECT_FALSE(sample.energy(PowermetricsRail::cpu)) << value;
    EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::gpu), 0.5) << value;
    EXPECT_EQ(sample.refused, 1U) << value;
  }
  const auto integer = parsed(powermetrics_document("<key>cpu_power</key><integer>-3</integer>" +
                                                    real_entry("gpu_power", "10")));
  EXPECT_FALSE(integer.energy(PowermetricsRail::cpu));
  EXPECT_THAT(refusal(powermetrics_document(real_entry("cpu_power", "nan"))),
              HasSubstr("all of its powers are impossible"));
}

// libplist would read each of these as zero, without an error.
TEST(PowermetricsSample, NumbersThatAreNoneSpoilTheDocument) {
  for (const char* const number :
       {"<real>fast</real>", "<real></real>", "<real/>", "<real >1</real>", "<real>1.5W</real>",
        "<real>1,5</real>", "<integer>many</integer>", "<integer></integer>",
        "<integer>1.5</integer>", "<integer>99999999999999999999999</integer>", "<integer>1",
        "<real>&amp;</real>"}) {
    EXPECT_THAT(refusal(powermetrics_document(real_entry("cpu_power", "10") +
                                              "<key>gpu_power</key>" + number)),
                HasSubstr("where a number should be"))
        << number;
  }
}

TEST(PowermetricsSample, WhatIsNoDocumentIsRefused) {
  const std::string whole = testing::apple_document();
  EXPECT_THAT(refusal(""), HasSubstr("not a property list"));
  EXPECT_THAT(refusal("bplist00\x01\x02"), HasSubstr("begins with 'bplist00"));
  EXPECT_THAT(refusal("Machine model: Mac16,1"), HasSubstr("not a property list"));
  for (const std::size_t length :
       {std::size_t{6}, whole.size() / 4, whole.size() / 2, whole.size() - 20}) {
    refusal(whole.substr(0, length));
  }
  refusal("<?xml version=\"1.0\"?><plist version=\"1.0\"><array/></plist>");
  refusal("<?xml version=\"1.0\"?><plist version=\"1.0\"><string>cpu_power</string></plist>");
  EXPECT_THAT(refusal(std::string(kPowermetricsDocumentLimit + 1, '<')), HasSubstr("too long"));
}

TEST(PowermetricsSample, NestingHasAnEnd) {
  std::string deep = "<?xml version=\"1.0\"?><plist version=\"1.0\">";
  for (int level = 0; level < 100'000; ++level) {
    deep += "<array>";
  }
  EXPECT_THAT(refusal(deep), HasSubstr("deep"));
}

TEST(PowermetricsSample, WithoutLengthOrPowerThereIsNoSample) {
  EXPECT_THAT(
      refusal("<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>processor</key><dict>"
              "<key>cpu_power</key><real>1</real></dict></dict></plist>"),
      HasSubstr("elapsed_ns is missing"));
  EXPECT_THAT(refusal(powermetrics_document(real_entry("cpu_power", "10"), 0)),
              HasSubstr("elapsed_ns is 0"));
  EXPECT_THAT(refusal(powermetrics_document(real_entry("cpu_power", "10"), -5)),
              HasSubstr("elapsed_ns is -5"));
  EXPECT_THAT(refusal(powermetrics_document("")), HasSubstr("it has no power"));
  EXPECT_THAT(refusal(powermetrics_document("<key>cpu_power</key><string>10</string>")),
              HasSubstr("it has no power"));
}

TEST(PowermetricsSample, EveryThermalPressureHasItsNumber) {
  double expected = 0;
  for (const char* const name : {"Nominal", "Moderate", "Heavy", "Trapping", "Sleeping"}) {
    EXPECT_EQ(parsed(powermetrics_document(
                         real_entry("cpu_power", "1"), 1'000'000,
                         "<key>thermal_pressure</key><string>" + std::string(name) + "</string>"))
                  .thermal_pressure,
              expected++);
  }
  EXPECT_FALSE(parsed(powermetrics_document(real_entry("cpu_power", "1"), 1'000'000,
                                            "<key>thermal_pressure</key><string>Tropical</string>"))
                   .thermal_pressure);
}

TEST(PowermetricsSample, StatesThatCannotBeAreLeftOut) {
  const auto sample =
      parsed(powermetrics_document(real_entry("cpu_power", "1"), 1'000'000,
                                   "<key>gpu</key><dict>" + real_entry("idle_ratio", "1.5") +
                                       real_entry("freq_hz", "nan") + "</dict>"));
  EXPECT_FALSE(sample.gpu_utilization);
  EXPECT_FALSE(sample.gpu_clock_hz);
}

// libplist reads reals by the locale, and would stop at the point.
TEST(PowermetricsSample, ReadsADecimalPointWhateverTheLocale) {
  const testing::GermanLocale german;
  const auto sample =
      parsed(powermetrics_document(real_entry("cpu_power", "15.35"), 1'000'000'000));
  EXPECT_DOUBLE_EQ(mj(sample, PowermetricsRail::cpu), 15.35);
  if (!german.whole()) {
    GTEST_SKIP() << testing::GermanLocale::why_not();
  }
}

}  // namespace
}  // namespace enprof
