#include "power/sampler/domain_trust.hpp"

#include "support/warning_codes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr Nanoseconds kPeriod = 10ms;

/// Domains that draw constant powers while a monitor watches for some seconds.
class DomainTrustTest : public ::testing::Test {
 protected:
  std::size_t add(const std::string& name, double watts, Nanoseconds from = 0s,
                  Nanoseconds until = 10s) {
    Domain domain = domain_from_name(name);
    domain.source = "rapl";
    domain.period = kPeriod;
    domains_.push_back(domain);
    windows_.emplace_back();
    has_counted_.push_back(watts > 0 && from < until);
    for (Nanoseconds at = from; at < until && watts >= 0; at += kPeriod) {
      windows_.back().push_back({.domain = static_cast<std::uint16_t>(domains_.size() - 1),
                                 .begin = start_ + at,
                                 .end = start_ + at + kPeriod,
                                 .energy = Watts{watts} * kPeriod});
    }
    return domains_.size() - 1;
  }
  /// One that never gave a window.
  std::size_t add_silent(const std::string& name) { return add(name, -1); }

  TrustedDomains judge(Nanoseconds begin = 2s, Nanoseconds end = 10s, Nanoseconds since = 0s) {
    link_parents(domains_);
    std::vector<DomainRecord> records;
    for (std::size_t index = 0; index < domains_.size(); ++index) {
      records.push_back({.windows = windows_[index], .has_counted = has_counted_[index]});
    }
    return trust_domains(domains_, records,
                         {.since = start_ + since, .begin = start_ + begin, .end = start_ + end});
  }
  static std::vector<std::string> roots(const TrustedDomains& trusted) {
    std::vector<std::string> names;
    for (const Domain& domain : trusted.domains) {
      if (domain.is_root()) {
        names.push_back(domain.name);
      }
    }
    return names;
  }
  static std::vector<std::string> codes(const TrustedDomains& trusted) {
    for (const Warning& warning : trusted.warnings) {
      EXPECT_EQ(warning.component, "power");
      EXPECT_FALSE(warning.hint.empty()) << warning.message;
    }
    return testing::warning_codes(trusted.warnings);
  }

  Instant start_{1h};
  std::vector<Domain> domains_;
  std::vector<std::vector<EnergyWindow>> windows_;
  std::vector<bool> has_counted_;
};

TEST_F(DomainTrustTest, SensorsThatAgreeAreAllTrusted) {
  add("psys", 70);
  add("package-0", 40);
  add("core-0", 30);
  add("uncore-0", 1);
  add("dram-0", 4);
  add("package-1", 20);
  const auto trusted = judge();
  EXPECT_EQ(trusted.domains, domains_);
  EXPECT_THAT(trusted.warnings, IsEmpty());
}

// sosy-lab/cpu-energy-meter, issue 25: listed, and never counts.
TEST_F(DomainTrustTest, APlatformThatStandsStillIsLeftOutAndItsPartsAreCounted) {
  add("package-0", 40);
  add("core-0", 30);
  add("dram-0", 4);
  add_silent("psys");
  const auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0", "dram-0"));
  EXPECT_EQ(trusted.domains[3].scope, DomainScope::unclear);
  ASSERT_THAT(codes(trusted), ElementsAre("domain_left_out"));
  EXPECT_THAT(trusted.warnings[0].message,
              HasSubstr("psys of rapl shows no energy while package-0 + dram-0 in it do"));
}

TEST_F(DomainTrustTest, SoIsAPackageWhoseCoresCount) {
  add("package-0", 40);
  add_silent("package-1");
  add("core-1", 25);
  add("uncore-1", 1);
  const auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0", "core-1", "uncore-1"));
  EXPECT_THAT(codes(trusted), ElementsAre("domain_left_out"));
}

TEST_F(DomainTrustTest, APlatformAndAPackageMayBothStandStill) {
  add_silent("psys");
  add_silent("package-0");
  add("core-0", 25);
  const auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("core-0"));
  EXPECT_THAT(codes(trusted), ElementsAre("domain_left_out", "domain_left_out"));
}

TEST_F(DomainTrustTest, ZeroJoulesAreNoEnergy) {
  add("psys", 0);
  add("package-0", 40);
  EXPECT_THAT(roots(judge()), ElementsAre("package-0"));
}

// What computes draws power: that it is missing must show.
TEST_F(DomainTrustTest, ASocketThatStandsStillStaysAndIsNamed) {
  add("package-0", 40);
  add_silent("package-1");
  const auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0", "package-1"));
  ASSERT_THAT(codes(trusted), ElementsAre("domain_stands_still"));
  EXPECT_THAT(trusted.warnings[0].message, HasSubstr("package-1 of rapl shows no energy"));
}

TEST_F(DomainTrustTest, MemoryThatNeverCountedIsAsIfItWereNotThere) {
  add("package-0", 40);
  const std::size_t dram = add_silent("dram-0");
  auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0"));
  EXPECT_THAT(codes(trusted), ElementsAre("domain_left_out"));

  has_counted_[dram] = true;  // before the windows that there are
  trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0", "dram-0"));
  EXPECT_THAT(codes(trusted), ElementsAre("domain_stands_still"));
}

TEST_F(DomainTrustTest, WhereNothingCountsNothingIsLeftOut) {
  add_silent("psys");
  add_silent("package-0");
  add_silent("dram-0");
  const auto trusted = judge();
  EXPECT_EQ(trusted.domains, domains_);
  EXPECT_THAT(trusted.warnings, IsEmpty());
}

TEST_F(DomainTrustTest, ItIsTrustedAgainOnceItCounts) {
  add("psys", 60, 5s);
  add("package-0", 40);
  EXPECT_THAT(roots(judge(2s, 4s)), ElementsAre("package-0"));
  EXPECT_THAT(roots(judge(2s, 6s)), ElementsAre("psys")) << "the coverage tells of the rest";
  EXPECT_THAT(roots(judge(6s, 8s)), ElementsAre("psys"));
}

// A driver that stops after the machine slept.
TEST_F(DomainTrustTest, OneThatCountedLongAgoIsLeftOut) {
  add("psys", 60, 0s, 1s);
  add("package-0", 40);
  EXPECT_THAT(roots(judge(2s, 4s)), ElementsAre("package-0"));
}

TEST_F(DomainTrustTest, ASlowSensorIsGivenTime) {
  const std::size_t psys = add_silent("psys");
  domains_[psys].period = 1s;
  add("package-0", 40);
  EXPECT_THAT(roots(judge(2s, 2100ms, 1s)), ElementsAre("psys")) << "watched for 1.1 s";
  EXPECT_THAT(roots(judge(2s, 2100ms, 0s)), ElementsAre("psys")) << "and for 2.1 s";
  EXPECT_THAT(roots(judge(2s, 3500ms, 0s)), ElementsAre("package-0"));
  domains_[psys].period = kPeriod;
  EXPECT_THAT(roots(judge(2s, 2060ms, 1950ms)), ElementsAre("psys")) << "110 ms are not enough";
  EXPECT_THAT(roots(judge(2s, 2060ms, 1s)), ElementsAre("package-0"))
      << "a short run, watched for long before";
}

// exelban/stats, issue 2400; powercap/powercap, issue 3.
TEST_F(DomainTrustTest, AWholeBelowItsPartsIsNotBelieved) {
  add("package-0", 60);
  add("psys", 6);
  const auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0"));
  ASSERT_THAT(codes(trusted), ElementsAre("whole_below_parts"));
  EXPECT_THAT(trusted.warnings[0].message,
              HasSubstr("psys of rapl says 6 W while package-0 in it says 60 W"));
}

TEST_F(DomainTrustTest, PartsAreTakenTogether) {
  add("psys", 90);
  add("package-0", 50);
  add("core-0", 49);
  add("package-1", 40);
  EXPECT_THAT(roots(judge()), ElementsAre("psys")) << "cores lie in their package";
  add("dram-0", 12);
  const auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0", "package-1", "dram-0"));
  EXPECT_THAT(trusted.warnings[0].message, HasSubstr("together say 102 W"));
}

TEST_F(DomainTrustTest, SensorsMayDifferByAFewPerCent) {
  add("psys", 97);
  add("package-0", 100);
  EXPECT_THAT(judge().warnings, IsEmpty());
  domains_.clear();
  windows_.clear();
  has_counted_.clear();
  add("psys", 94);
  add("package-0", 100);
  EXPECT_THAT(codes(judge()), ElementsAre("whole_below_parts"));
  EXPECT_THAT(judge(2s, 2060ms, 1900ms).warnings, IsEmpty()) << "160 ms are not enough";
}

TEST_F(DomainTrustTest, OnlyTheTimeThatAllCoverIsCompared) {
  add("psys", 60, 2s, 10s);
  add("package-0", 50, 0s, 10s);
  EXPECT_THAT(judge(0s, 10s).warnings, IsEmpty()) << "500 J are more than 480, of more time";
}

TEST_F(DomainTrustTest, ASlowSensorMayLag) {
  const std::size_t psys = add("psys", 6, 0s, 3s);
  domains_[psys].period = 1s;
  const std::size_t package = add("package-0", 60, 2s, 10s);
  for (Nanoseconds at = 3s; at < 10s; at += 10ms) {
    windows_[psys].push_back(
        {.begin = start_ + at, .end = start_ + at + 10ms, .energy = Watts{70} * 10ms});
  }
  EXPECT_THAT(judge(2s, 4s).warnings, IsEmpty()) << "a second late";
  EXPECT_THAT(judge(2s, 10s).warnings, IsEmpty());
  for (EnergyWindow& window : windows_[package]) {
    window.energy = window.energy * 10;
  }
  EXPECT_THAT(codes(judge(2s, 4100ms)), ElementsAre("whole_below_parts")) << "no lag explains that";
}

TEST_F(DomainTrustTest, TwinsAndEstimatesAreNoParts) {
  add("package-0", 20);
  add("hwmon:package-0", 25);  // two sensors of one CPU
  const std::size_t cpu = add("cpu", 65);
  domains_[cpu].method = Method::estimated;
  const auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0"));
  EXPECT_THAT(trusted.warnings, IsEmpty());
}

TEST_F(DomainTrustTest, ATwinStandsForOneThatStandsStill) {
  add_silent("package-0");
  add("hwmon:package-0", 25);
  add("core-0", 20);
  EXPECT_THAT(roots(judge()), ElementsAre("hwmon:package-0"));
}

TEST_F(DomainTrustTest, InstancesOfAGpuAreNotAddedUpInItsPlace) {
  add("gpu-0", 200);
  add("mig-0-0", 190);
  add("mig-0-1", 190);
  EXPECT_THAT(judge().warnings, IsEmpty());
}

TEST_F(DomainTrustTest, RailsOfAnUnknownBoardAreWarnedOf) {
  const std::size_t gpu = add("ina3221/VDD_GPU", 11);
  const std::size_t cpu = add("ina3221/VDD_CPU", 6);
  domains_[gpu].scope = domains_[cpu].scope = DomainScope::unclear;
  auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("ina3221/VDD_GPU"));
  ASSERT_THAT(codes(trusted), ElementsAre("rails_not_added"));
  EXPECT_THAT(trusted.warnings[0].message,
              HasSubstr("The total is that of ina3221/VDD_GPU alone, and may be a part"));

  add("package-0", 30);
  trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("package-0"));
  ASSERT_THAT(codes(trusted), ElementsAre("rails_not_added"));
  EXPECT_THAT(trusted.warnings[0].message, HasSubstr("not added to the total"));

  add("psys", 60);
  EXPECT_THAT(judge().warnings, IsEmpty()) << "the platform has them all";
}

TEST_F(DomainTrustTest, RailsThatWereAddedUpAreNotAddedAgain) {
  const std::size_t module = add("module-0", 21);
  domains_[module].scope = DomainScope::module;
  for (const double watts : {11.0, 6.0, 4.0, 3.0}) {
    const std::size_t rail = add("ina3221/" + std::to_string(watts), watts);
    domains_[rail].scope = DomainScope::rail;
  }
  const auto trusted = judge();
  EXPECT_THAT(roots(trusted), ElementsAre("module-0"));
  EXPECT_THAT(trusted.warnings, IsEmpty());
}

}  // namespace
}  // namespace enprof
