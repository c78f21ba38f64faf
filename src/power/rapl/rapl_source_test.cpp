#include "power/rapl/rapl_source.hpp"

#include "support/fake_procfs.hpp"
#include "support/fake_sysfs.hpp"
#include "support/manual_clock.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::FakeRapl;
using ::testing::HasSubstr;

const std::string kPackage = "intel-rapl:0";
const std::string kDram = "intel-rapl:0:1";
/// Of a value that was read without its step: what its time stamp is moved back by.
constexpr Nanoseconds kMeanAge = RaplSource::kStep / 2;

class RaplSourceTest : public ::testing::Test {
 protected:
  [[nodiscard]] PowerEnvironment environment() const {
    return {.sysfs_root = rapl_.root(), .procfs_root = procfs_.root(), .clock = &clock_};
  }
  void open() {
    auto opened = RaplSource::open(environment());
    ASSERT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    const auto started = source_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  /// Lets time pass in which a zone draws so much power.
  void draw(const std::string& zone, Nanoseconds duration, double watts) {
    clock_.advance(duration);
    rapl_.use(zone, static_cast<std::uint64_t>(std::llround(watts * seconds(duration) * 1e6)));
  }
  Poll poll() {
    windows_.clear();
    return source_->poll(windows_);
  }
  /// What a poll that must succeed says of a domain; −1 where it says nothing.
  double energy(std::uint16_t domain = 0) {
    const Poll result = poll();
    EXPECT_EQ(result.outcome, PollOutcome::ok) << result.error.message;
    for (const EnergyWindow& window : windows_) {
      if (window.domain == domain) {
        return window.energy.value();
      }
    }
    return -1;
  }

  FakeRapl rapl_;
  testing::FakeProcfs procfs_{
      2, testing::FakeProcfs::x86("Intel(R) Xeon(R)", 2, 1, false, "GenuineIntel")};
  testing::ManualClock clock_;
  std::unique_ptr<RaplSource> source_;
  std::vector<EnergyWindow> windows_;
};

TEST_F(RaplSourceTest, SteadyPowerIsSeenAsSuch) {
  rapl_.add(kPackage, "package-0");
  open();
  const Instant start = clock_.now();
  Joules sum;
  for (int step = 0; step < 100; ++step) {
    draw(kPackage, 10ms, 60);
    ASSERT_EQ(poll().outcome, PollOutcome::ok);
    ASSERT_EQ(windows_.size(), 1U);
    EXPECT_EQ(windows_[0].end, clock_.now() - kMeanAge);
    EXPECT_EQ(windows_[0].begin, clock_.now() - 10ms - kMeanAge);
    sum += windows_[0].energy;
  }
  EXPECT_NEAR(sum.value(), (Watts{60} * (clock_.now() - start)).value(), 1e-6);
}

TEST_F(RaplSourceTest, FallingPowerCountsAsMuchAsRising) {
  rapl_.add(kPackage, "package-0");
  open();
  double sum = 0;
  for (const double watts : {10, 200, 50, 20, 5, 1, 150}) {
    draw(kPackage, 10ms, watts);
    const double used = energy();
    EXPECT_NEAR(used, watts * 0.01, 1e-6);
    sum += used;
  }
  EXPECT_NEAR(sum, 4.36, 1e-5);
}

TEST_F(RaplSourceTest, AWrapLosesNothing) {
  rapl_.add(kPackage, "package-0", FakeRapl::kRange - 250'000);
  open();
  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 0.6, 1e-6);
  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 0.6, 1e-6);
}

TEST_F(RaplSourceTest, EachZoneWrapsAtItsOwnRange) {
  constexpr std::uint64_t kDramRange = 65'712'999'613;
  rapl_.add(kPackage, "package-0", FakeRapl::kRange - 100'000);
  rapl_.add(kDram, "dram", kDramRange - 10'000, kDramRange);
  open();
  draw(kPackage, 10ms, 60);
  rapl_.use(kDram, 50'000);
  ASSERT_EQ(poll().outcome, PollOutcome::ok);
  ASSERT_EQ(windows_.size(), 2U);
  EXPECT_NEAR(windows_[0].energy.value(), 0.6, 1e-6);
  EXPECT_NEAR(windows_[1].energy.value(), 0.05, 1e-6);
}

TEST_F(RaplSourceTest, ACounterThatHasNotSteppedSaysNothingAndLosesNothing) {
  rapl_.add(kPackage, "package-0");
  open();
  const Instant start = clock_.now();
  clock_.advance(400us);
  EXPECT_EQ(energy(), -1);
  EXPECT_TRUE(windows_.empty());
  draw(kPackage, 600us, 100);
  EXPECT_NEAR(energy(), 0.06, 1e-6);
  EXPECT_EQ(windows_[0].begin, start - kMeanAge);
  EXPECT_EQ(windows_[0].end, start + 1ms - kMeanAge);
}

TEST_F(RaplSourceTest, SocketsAndMemoriesAreRootsAndCoresAreNot) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:0:0", "core");
  rapl_.add("intel-rapl:0:1", "dram");
  rapl_.add("intel-rapl:1", "package-1");
  rapl_.add("intel-rapl:1:0", "core");
  rapl_.add("intel-rapl:1:1", "dram");
  open();
  Joules total;
  clock_.advance(10ms);
  for (const auto* zone : {"intel-rapl:0", "intel-rapl:1"}) {
    rapl_.use(zone, 500'000);
    rapl_.use(std::string(zone) + ":0", 400'000);
    rapl_.use(std::string(zone) + ":1", 30'000);
  }
  ASSERT_EQ(poll().outcome, PollOutcome::ok);
  ASSERT_EQ(windows_.size(), 6U);
  for (const EnergyWindow& window : windows_) {
    const Domain& domain = source_->domains()[window.domain];
    EXPECT_EQ(domain.is_root(), domain.kind != DomainKind::core) << domain.name;
    if (domain.is_root()) {
      total += window.energy;
    }
  }
  EXPECT_NEAR(total.value(), 2 * 0.53, 1e-6);
}

TEST_F(RaplSourceTest, ThePlatformContainsEverything) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:0:0", "dram");
  rapl_.add("intel-rapl:1", "psys");
  open();
  EXPECT_EQ(std::ranges::count_if(source_->domains(), &Domain::is_root), 1);
  draw("intel-rapl:1", 10ms, 3000);  // a platform may draw more than a socket can
  EXPECT_NEAR(energy(2), 30, 1e-5);
}

TEST_F(RaplSourceTest, AFailedReadingIsNoZeroAndTheNextOneBridgesIt) {
  rapl_.add(kPackage, "package-0");
  rapl_.add(kDram, "dram");
  open();
  const Instant start = clock_.now();
  draw(kPackage, 10ms, 60);
  rapl_.use(kDram, 40'000);
  rapl_.write(kPackage, "");
  const Poll failed = poll();
  EXPECT_EQ(failed.outcome, PollOutcome::retry);
  EXPECT_THAT(failed.error.message, HasSubstr(rapl_.energy_path(kPackage).string()));
  ASSERT_EQ(windows_.size(), 1U) << "the other zone goes on";
  EXPECT_EQ(windows_[0].domain, 1);

  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 1.2, 1e-6);
  EXPECT_EQ(windows_[0].begin, start - kMeanAge);
  EXPECT_EQ(windows_[0].end, start + 20ms - kMeanAge);
}

TEST_F(RaplSourceTest, GarbageIsNoValue) {
  rapl_.add(kPackage, "package-0");
  open();
  for (const char* garbage : {"-5\n", "nan\n", "12x\n", "99999999999999999999999\n"}) {
    rapl_.write(kPackage, garbage);
    clock_.advance(10ms);
    EXPECT_EQ(poll().outcome, PollOutcome::retry) << garbage;
    EXPECT_TRUE(windows_.empty());
  }
}

TEST_F(RaplSourceTest, AfterTooLongAFailureTheTimeIsAGap) {
  rapl_.add(kPackage, "package-0");
  open();
  rapl_.write(kPackage, "");
  for (int second = 0; second < 140; ++second) {
    draw(kPackage, 1s, 60);
    rapl_.write(kPackage, "");
    EXPECT_EQ(poll().outcome, PollOutcome::retry);
  }
  draw(kPackage, 1s, 60);
  const Poll lapsed = poll();
  ASSERT_EQ(lapsed.incidents.size(), 1U);
  EXPECT_EQ(lapsed.incidents[0].code, "counter_lapsed");
  EXPECT_THAT(lapsed.incidents[0].error.message, HasSubstr("more than once"));
  EXPECT_TRUE(windows_.empty());
  const Instant mended = clock_.now();
  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 0.6, 1e-6);
  EXPECT_EQ(windows_[0].begin, mended - kMeanAge);
}

TEST_F(RaplSourceTest, AResetIsAGapAndNeverPetajoules) {
  rapl_.add(kPackage, "package-0", 200'000'000'000);
  open();
  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 0.6, 1e-6);
  rapl_.set(kPackage, 1'000);
  clock_.advance(10ms);
  const Poll reset = poll();
  EXPECT_EQ(reset.outcome, PollOutcome::ok) << "it was read";
  ASSERT_EQ(reset.incidents.size(), 1U);
  EXPECT_EQ(reset.incidents[0].code, "counter_reset");
  EXPECT_THAT(reset.incidents[0].error.message, HasSubstr("package-0 was reset"));
  EXPECT_TRUE(windows_.empty());
  const Instant after = clock_.now();
  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 0.6, 1e-6);
  EXPECT_EQ(windows_[0].begin, after - kMeanAge);
}

TEST_F(RaplSourceTest, AFileThatWasReplacedIsFoundAgain) {
  rapl_.add(kPackage, "package-0");
  open();
  rapl_.replace(kPackage, 1'000'000'000);  // the descriptor leads to what is no longer there
  double sum = 0;
  for (int step = 0; step < 100; ++step) {
    draw(kPackage, 10ms, 60);
    sum += std::max(0.0, energy());
  }
  EXPECT_NEAR(sum, 60, 1e-4);
}

TEST_F(RaplSourceTest, ATreeThatVanishesIsGoneAfterASecond) {
  rapl_.add(kPackage, "package-0");
  rapl_.add(kDram, "dram");
  open();
  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 0.6, 1e-6);
  rapl_.remove_all();
  Poll last;
  int polls = 0;
  while (last.outcome != PollOutcome::gone && ++polls < 1000) {
    clock_.advance(10ms);
    last = poll();
    EXPECT_TRUE(windows_.empty());
  }
  EXPECT_EQ(last.outcome, PollOutcome::gone);
  EXPECT_THAT(last.error.message, HasSubstr("energy_uj"));
  EXPECT_THAT(last.error.hint, HasSubstr("modprobe"));
  EXPECT_NEAR(polls, 120, 3);  // 0.2 s until it is missed, 1 s of patience
}

TEST_F(RaplSourceTest, OneZoneThatVanishesTakesNoOtherWithIt) {
  rapl_.add(kPackage, "package-0");
  rapl_.add("intel-rapl:1", "package-1");
  open();
  rapl_.remove("intel-rapl:1");
  double sum = 0;
  int retries = 0;
  for (int step = 0; step < 300; ++step) {
    draw(kPackage, 10ms, 60);
    const Poll result = poll();
    ASSERT_NE(result.outcome, PollOutcome::gone);
    retries += result.outcome == PollOutcome::retry ? 1 : 0;
    ASSERT_EQ(windows_.size(), 1U);
    sum += windows_[0].energy.value();
  }
  EXPECT_NEAR(sum, 180, 1e-3);
  EXPECT_GT(retries, 200);
}

TEST_F(RaplSourceTest, ATreeThatComesBackIsReadOn) {
  rapl_.add(kPackage, "package-0", 50'000'000'000);
  open();
  rapl_.remove(kPackage);
  for (int step = 0; step < 50; ++step) {
    clock_.advance(10ms);
    static_cast<void>(poll());
  }
  rapl_.add(kPackage, "package-0", 7);  // its driver was reloaded: the counter is another
  clock_.advance(10ms);
  const Poll back = poll();
  ASSERT_EQ(back.incidents.size(), 1U);
  EXPECT_EQ(back.incidents[0].code, "counter_reset");
  EXPECT_TRUE(windows_.empty());
  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 0.6, 1e-6);
}

TEST_F(RaplSourceTest, StartingAnewForgetsWhatWas) {
  rapl_.add(kPackage, "package-0");
  open();
  draw(kPackage, 1h, 1);
  ASSERT_TRUE(source_->start());
  draw(kPackage, 10ms, 60);
  EXPECT_NEAR(energy(), 0.6, 1e-6);
}

TEST_F(RaplSourceTest, MustBeReadBeforeItCanHaveGoneAroundTwice) {
  rapl_.add(kPackage, "package-0");
  rapl_.add(kDram, "dram", 0, 65'712'999'613);
  open();
  EXPECT_EQ(source_->shortest_interval(), RaplSource::kStep);
  EXPECT_NEAR(seconds(source_->longest_interval()), 65'713.0 / 2000 / 4, 0.01);
}

TEST_F(RaplSourceTest, SaysWhatItReadsAndHowWell) {
  rapl_.add(kPackage, "package-0");
  rapl_.add(kDram, "dram");
  open();
  EXPECT_EQ(source_->name(), "rapl");
  EXPECT_THAT(source_->description(), HasSubstr("package-0, dram-0"));
  for (const Domain& domain : source_->domains()) {
    EXPECT_EQ(domain.source, "rapl");
    EXPECT_EQ(domain.method, Method::measured);
    EXPECT_NEAR(seconds(domain.stamp_error), 0.976e-3 / std::sqrt(12), 1e-6);
  }
}

TEST_F(RaplSourceTest, WithoutRightsItNamesEachFileAndTheLineThatOpensThem) {
  rapl_.add(kPackage, "package-0");
  rapl_.add(kDram, "dram");
  rapl_.forbid(kPackage);
  rapl_.forbid(kDram);
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may read everything, and this process cannot become another user";
  }
  const auto opened = RaplSource::open(environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::permission_denied);
  const std::string package = rapl_.energy_path(kPackage).string();
  const std::string dram = rapl_.energy_path(kDram).string();
  EXPECT_THAT(opened.error().message, HasSubstr(package));
  EXPECT_THAT(opened.error().hint, HasSubstr("sudo chmod a+r " + package + " " + dram));
  EXPECT_THAT(opened.error().hint, HasSubstr("CVE-2020-8694"));
  EXPECT_THAT(opened.error().hint, HasSubstr("as root, with sudo"));
}

TEST_F(RaplSourceTest, HalfOfTheRightsAreNone) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:1", "package-1");
  rapl_.forbid("intel-rapl:1");
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may read everything, and this process cannot become another user";
  }
  const auto opened = RaplSource::open(environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message.find("intel-rapl:0"), std::string::npos);
  EXPECT_THAT(opened.error().message, HasSubstr("intel-rapl:1/energy_uj"));
}

TEST_F(RaplSourceTest, ABrokenCounterIsLeftOutUnlessItIsTheOnlyOne) {
  rapl_.add(kPackage, "package-0");
  rapl_.add(kDram, "dram");
  rapl_.write(kDram, "broken\n");
  open();
  EXPECT_EQ(source_->domains().size(), 1U);
  rapl_.write(kPackage, "broken\n");
  const auto opened = RaplSource::open(environment());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("'broken'"));
}

TEST_F(RaplSourceTest, WithoutATreeThereIsNone) {
  const auto opened = RaplSource::open(environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace enprof
