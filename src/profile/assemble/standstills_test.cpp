#include "profile/assemble/standstills.hpp"

#include <gtest/gtest.h>

#include <array>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Instant at(Nanoseconds since) { return Instant{1'000s + since}; }

EnergyWindow window(Nanoseconds begin, Nanoseconds end, double watts = 50,
                    std::uint16_t domain = 0) {
  return {
      .domain = domain, .begin = at(begin), .end = at(end), .energy = Watts{watts} * (end - begin)};
}

const std::vector<Standstill> kStop{{at(1s), at(3s)}};

TEST(WithoutStandstills, WindowsOutsideThemStay) {
  const WindowsByDomain windows{{window(0s, 1s), window(3s, 4s)}, {}};
  EXPECT_EQ(without_standstills(windows, kStop), windows);
  EXPECT_EQ(without_standstills(windows, {}), windows);
}

TEST(WithoutStandstills, AWindowAcrossOneIsLeftOut) {
  // A counter's window from before to after the standstill, one of 100 ms of which half lies in it,
  // and one that lies in it as a whole.
  EXPECT_TRUE(without_standstills({{window(990ms, 3010ms)}}, kStop)[0].empty());
  EXPECT_TRUE(without_standstills({{window(950ms, 1050ms)}}, kStop)[0].empty());
  EXPECT_TRUE(without_standstills({{window(1500ms, 1600ms)}}, kStop)[0].empty());
}

TEST(WithoutStandstills, TheRestOfAMuchLongerWindowKeepsItsPower) {
  const auto parts = without_standstills({{window(0s, 100s)}, {window(2s, 50s, 10, 1)}}, kStop);
  ASSERT_EQ(parts[0].size(), 2U);
  EXPECT_EQ(parts[0][0], window(0s, 1s));
  EXPECT_EQ(parts[0][1].begin, at(3s));
  EXPECT_NEAR(parts[0][1].energy.value(), 50 * 97, 1e-9);
  ASSERT_EQ(parts[1].size(), 1U);
  EXPECT_EQ(parts[1][0].begin, at(3s));
  EXPECT_NEAR(parts[1][0].energy.value(), 10 * 47, 1e-9);
}

TEST(WithoutStandstills, TwoInOneWindowAreBothCutOut) {
  const std::vector<Standstill> two{{at(1s), at(2s)}, {at(4s), at(5s)}};
  const auto parts = without_standstills({{window(0s, 100s)}}, two)[0];
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0], window(0s, 1s));
  EXPECT_EQ(parts[1], window(2s, 4s));
  EXPECT_EQ(parts[2].begin, at(5s));
  EXPECT_EQ(parts[2].end, at(100s));
}

TEST(LeaveOutOthers, SubtractsTheCpuTimeOfOtherProcesses) {
  const auto sample = [](Nanoseconds since, Nanoseconds busy, Nanoseconds own) {
    return CpuSample{.at = at(since),
                     .times = {.machine = {.busy = busy, .total = 2 * busy}, .own = own}};
  };
  // Only this process works before and after; during the standstill others use two CPUs.
  std::vector<CpuSample> samples{sample(0s, 10s, 1s), sample(1s, 11s, 2s), sample(3s, 15s, 2s),
                                 sample(4s, 16s, 3s)};
  EXPECT_GT(*foreign_cpu_share(samples, at(0s), at(4s)), 0.6);
  leave_out_others(samples, kStop);
  EXPECT_NEAR(*foreign_cpu_share(samples, at(0s), at(4s)), 0.0, 1e-9);
}

TEST(StandstillWarning, SaysHowLongAndWhichTokens) {
  const std::array<std::size_t, 1> one{17};
  const auto warning = standstill_warning(kStop, at(0s), at(10s), one);
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->code, "stood_still");
  EXPECT_NE(warning->message.find("stood still for 2.0 s of the run"), std::string::npos);
  EXPECT_NE(warning->message.find("of token 17;"), std::string::npos) << warning->message;
  EXPECT_EQ(warning->message.find("times"), std::string::npos);
}

TEST(StandstillWarning, CountsSeveralAndNamesTheFirstTokens) {
  const std::vector<Standstill> two{{at(1s), at(2s)}, {at(4s), at(5s)}};
  const std::array<std::size_t, 6> many{1, 2, 3, 4, 5, 6};
  const auto warning = standstill_warning(two, at(0s), at(10s), many);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->message.find("2.0 s of the run, 2 times"), std::string::npos);
  EXPECT_NE(warning->message.find("tokens 1, 2, 3, 4, 5, …"), std::string::npos);
}

TEST(StandstillWarning, IgnoresAStandstillBeforeTheRun) {
  EXPECT_FALSE(standstill_warning(kStop, at(3s), at(10s)));
  EXPECT_FALSE(standstill_warning({}, at(0s), at(10s)));
}

}  // namespace
}  // namespace enprof
