#include "power/rapl/rapl_counters.hpp"

#include "base/sleeper.hpp"
#include "power/rapl/perf_events.hpp"
#include "support/fake_procfs.hpp"
#include "support/fake_sysfs.hpp"
#include "support/manual_clock.hpp"
#include "support/unprivileged.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

/// A perf event, which has counted nothing when it is opened.
class FakeCount final : public CounterInput {
 public:
  FakeCount(const Clock& clock, Instant begins) : clock_(clock), begins_(begins) {}
  [[nodiscard]] Result<std::uint64_t> read() override { return clock_.now() < begins_ ? 0U : 42U; }

 private:
  const Clock& clock_;
  Instant begins_;
};

class PassingSleeper final : public Sleeper {
 public:
  explicit PassingSleeper(testing::ManualClock& clock) : clock_(clock) {}
  void sleep_until(Instant instant) const override {
    clock_.advance(std::max(Nanoseconds{0}, instant - clock_.now()));
  }

 private:
  testing::ManualClock& clock_;
};

class FakePerf final : public PerfEvents {
 public:
  explicit FakePerf(const Clock& clock) : clock_(clock) {}
  bool allowed = true;
  Nanoseconds begins_after{0};
  mutable std::vector<PerfEvent> opened;

  [[nodiscard]] Result<std::unique_ptr<CounterInput>> open(const PerfEvent& event) const override {
    if (!allowed) {
      return fail(ErrorCode::permission_denied, "perf says no", "sudo sysctl it");
    }
    opened.push_back(event);
    return std::make_unique<FakeCount>(clock_, clock_.now() + begins_after);
  }

 private:
  const Clock& clock_;
};

class RaplCountersTest : public ::testing::Test {
 protected:
  [[nodiscard]] PowerEnvironment environment() const {
    return {.sysfs_root = rapl_.root(),
            .procfs_root = procfs_.root(),
            .clock = &clock_,
            .sleeper = &sleeper_,
            .perf_events = &perf_};
  }
  void add_events() {
    const std::string pmu = "bus/event_source/devices/power/";
    rapl_.write_file(pmu + "type", "24\n");
    rapl_.write_file(pmu + "cpumask", "0\n");
    rapl_.write_file(pmu + "events/energy-pkg", "event=0x02\n");
    rapl_.write_file(pmu + "events/energy-pkg.unit", "Joules\n");
    rapl_.write_file(pmu + "events/energy-pkg.scale", "2.3283064365386962890625e-10\n");
  }

  testing::FakeRapl rapl_;
  testing::FakeProcfs procfs_{
      2, testing::FakeProcfs::x86("Intel(R) Xeon(R)", 2, 1, false, "GenuineIntel")};
  testing::ManualClock clock_;
  PassingSleeper sleeper_{clock_};
  FakePerf perf_{clock_};
};

TEST_F(RaplCountersTest, FilesComeFirst) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:0:0", "core");
  add_events();
  const auto opened = open_rapl_counters(environment());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->way, "powercap files");
  ASSERT_EQ(opened->counters.size(), 2U);
  EXPECT_EQ(opened->counters[0].traits.range, testing::FakeRapl::kRange);
  EXPECT_EQ(opened->counters[0].traits.unit, Joules{1e-6});
  EXPECT_TRUE(opened->counters[0].traits.stall_after);
  EXPECT_FALSE(opened->counters[1].traits.stall_after) << "cores may really draw nothing";
  EXPECT_TRUE(perf_.opened.empty());
}

TEST_F(RaplCountersTest, WithoutTheTreeEventsAreCounted) {
  rapl_.remove_powercap();
  add_events();
  const auto opened = open_rapl_counters(environment());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->way, "perf events");
  ASSERT_EQ(opened->counters.size(), 1U);
  EXPECT_EQ(opened->counters[0].domain.name, "package-0");
  EXPECT_EQ(opened->counters[0].traits.range, 0U);
  EXPECT_EQ(opened->counters[0].traits.unit, Joules{0x1p-32});
  EXPECT_EQ(opened->counters[0].place, "power/energy-pkg/ on CPU 0");
  EXPECT_EQ(opened->counters[0].input->read(), 42U);
}

TEST_F(RaplCountersTest, EventsThatNeverCountAreNone) {
  rapl_.remove_powercap();
  add_events();
  perf_.begins_after = std::chrono::milliseconds{2};
  EXPECT_TRUE(open_rapl_counters(environment()));

  perf_.begins_after = std::chrono::hours{1};  // a virtual machine whose host counts nothing
  const Instant begin = clock_.now();
  const auto opened = open_rapl_counters(environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
  EXPECT_THAT(opened.error().message, HasSubstr("power/energy-pkg/ on CPU 0"));
  EXPECT_THAT(opened.error().hint, HasSubstr("--power estimate"));
  EXPECT_LE(clock_.now() - begin, 2 * kRaplFirstStepWithin);
}

TEST_F(RaplCountersTest, WhereFilesMayNotBeReadEventsAreCounted) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.forbid("intel-rapl:0");
  add_events();
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may read everything, and this process cannot become another user";
  }
  const auto opened = open_rapl_counters(environment());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->way, "perf events");
}

TEST_F(RaplCountersTest, WhereNeitherIsAllowedItNamesBothRemedies) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.forbid("intel-rapl:0");
  add_events();
  perf_.allowed = false;
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may read everything, and this process cannot become another user";
  }
  const auto opened = open_rapl_counters(environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::permission_denied);
  EXPECT_THAT(opened.error().message, HasSubstr(rapl_.energy_path("intel-rapl:0").string()));
  EXPECT_THAT(opened.error().message, HasSubstr("perf says no"));
  EXPECT_THAT(opened.error().hint, HasSubstr("chmod a+r"));
  EXPECT_THAT(opened.error().hint, HasSubstr("sudo sysctl it"));
}

TEST_F(RaplCountersTest, WithEventsAloneThatAreForbiddenItSaysSo) {
  rapl_.remove_powercap();
  add_events();
  perf_.allowed = false;
  const auto opened = open_rapl_counters(environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::permission_denied);
  EXPECT_EQ(opened.error().hint, "sudo sysctl it");
}

TEST_F(RaplCountersTest, WithNeitherThereIsNoSensor) {
  rapl_.remove_powercap();
  const auto opened = open_rapl_counters(environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
  EXPECT_THAT(opened.error().message, HasSubstr("powercap"));
  EXPECT_THAT(opened.error().message, Not(HasSubstr("event_source")));
}

TEST_F(RaplCountersTest, AFileThatMayYetComeIsTaken) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:0:0", "dram");
  std::filesystem::remove(rapl_.energy_path("intel-rapl:0:0"));
  const auto opened = open_rapl_counters(environment());
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->counters.size(), 2U);
  EXPECT_TRUE(opened->counters[0].is_there);
  EXPECT_FALSE(opened->counters[1].is_there);
}

std::vector<std::string> codes(const std::vector<Incident>& faults) {
  std::vector<std::string> result;
  for (const Incident& fault : faults) {
    result.push_back(fault.code);
  }
  return result;
}

// intel/thermal_daemon, issue 41: Linux answers EIO where a socket's CPUs are offline.
TEST_F(RaplCountersTest, ASocketThatCannotBeReadStaysAndIsAFault) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:1", "package-1");
  rapl_.add("intel-rapl:1:0", "dram");
  for (const char* zone : {"intel-rapl:1", "intel-rapl:1:0"}) {
    std::filesystem::remove(rapl_.energy_path(zone));
    std::filesystem::create_directory(rapl_.energy_path(zone));
  }
  const auto opened = open_rapl_counters(environment());
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->counters.size(), 2U) << "its memory is left out";
  EXPECT_EQ(opened->counters[1].domain.name, "package-1");
  EXPECT_TRUE(opened->counters[1].is_unreadable);
  EXPECT_THAT(codes(opened->faults), ElementsAre("counter_unreadable", "counter_unreadable"));
  EXPECT_THAT(opened->faults[0].error.message,
              AllOf(HasSubstr("package-1 cannot be read"), HasSubstr("Is a directory")));
  EXPECT_THAT(opened->faults[1].error.message, HasSubstr("dram-1 cannot be read"));
}

TEST_F(RaplCountersTest, ASocketWithoutACounterIsAFault) {
  for (const bool is_virtual : {false, true}) {
    SCOPED_TRACE(is_virtual);
    procfs_.write("cpuinfo",
                  testing::FakeProcfs::x86("Intel(R) Xeon(R)", 4, 2, is_virtual, "GenuineIntel"));
    testing::FakeRapl rapl;
    rapl.add("intel-rapl:0", "package-1");
    PowerEnvironment here = environment();
    here.sysfs_root = rapl.root();
    const auto half = open_rapl_counters(here);
    ASSERT_TRUE(half);
    EXPECT_EQ(half->faults.size(), is_virtual ? 0U : 1U);
    if (!is_virtual) {
      EXPECT_EQ(half->faults[0].code, "socket_missing");
      EXPECT_THAT(half->faults[0].error.message, HasSubstr("2 CPU sockets, and 1 of them has"));
    }
    rapl.add("intel-rapl:1", "package-0");
    const auto whole = open_rapl_counters(here);
    ASSERT_TRUE(whole);
    EXPECT_THAT(whole->faults, IsEmpty());
  }
}

TEST_F(RaplCountersTest, WhatAFileCannotTellAnEventMay) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.write("intel-rapl:0", "nonsense");
  rapl_.add("intel-rapl:1", "package-1");
  add_events();
  const auto opened = open_rapl_counters(environment());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->way, "perf events");
  EXPECT_THAT(opened->faults, IsEmpty());
}

TEST_F(RaplCountersTest, ACounterWithoutARangeIsReadAsFarAsItGoes) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:1", "package-1", 1'000, 0);
  rapl_.add("intel-rapl:2", "package-2", 5'000'000, 1'000'000);  // beyond its range
  const auto opened = open_rapl_counters(environment());
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->counters.size(), 3U);
  EXPECT_EQ(opened->counters[0].traits.range, testing::FakeRapl::kRange);
  for (const std::size_t index : {1U, 2U}) {
    EXPECT_EQ(opened->counters[index].traits.range, 0U);
    EXPECT_EQ(opened->counters[index].traits.reach, kRaplPerfReach);
  }
  EXPECT_THAT(codes(opened->faults), ElementsAre("counter_range_unknown", "counter_range_unknown"));
  EXPECT_THAT(opened->faults[0].error.message, HasSubstr("cannot be read"));
  EXPECT_THAT(opened->faults[1].error.message,
              HasSubstr("is 1000000, but the counter shows 5000000"));
}

// Where each package has a zone for the platform, only one of them counts.
TEST_F(RaplCountersTest, OfZonesOfOneNameTheOneThatCountsIsTaken) {
  rapl_.add("intel-rapl:0", "package-0", 0);
  rapl_.add("intel-rapl-mmio:0", "package-0", 77);
  rapl_.add("intel-rapl:1", "psys", 0);
  rapl_.add("intel-rapl:3", "psys", 88);
  rapl_.add("intel-rapl:2", "package-1");
  rapl_.write("intel-rapl:2", "nonsense");
  rapl_.add("intel-rapl-mmio:2", "package-1", 99);
  const auto opened = open_rapl_counters(environment());
  ASSERT_TRUE(opened);
  std::vector<std::pair<std::string, std::uint64_t>> read;
  for (const RaplCounter& counter : opened->counters) {
    read.emplace_back(counter.domain.name, counter.input->read().value_or(0));
  }
  EXPECT_THAT(read,
              UnorderedElementsAre(Pair("package-0", 77), Pair("package-1", 99), Pair("psys", 88)));
  EXPECT_THAT(opened->faults, IsEmpty());
}

TEST_F(RaplCountersTest, CountersThatStandAtZeroAreNone) {
  rapl_.add("intel-rapl:0", "package-0", 0);
  rapl_.add("intel-rapl:0:0", "dram", 0);
  const auto opened = open_rapl_counters(environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
  EXPECT_THAT(opened.error().hint, HasSubstr("virtual machine"));
  rapl_.set("intel-rapl:0", 1);
  EXPECT_TRUE(open_rapl_counters(environment()));
}

}  // namespace
}  // namespace enprof
