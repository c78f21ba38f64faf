#include "power/rapl/mirrored_counters.hpp"

#include "support/counter_machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::CounterMachine;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Of a busy machine: wakes its thread 100 ms late.
class LateSleeper final : public Sleeper {
 public:
  explicit LateSleeper(CounterMachine& machine) : machine_(machine) {}
  void sleep_until(Instant instant) const override {
    machine_.pass(instant - machine_.clock().now() + 100ms);
  }

 private:
  CounterMachine& machine_;
};

class MirroredCountersTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kStart = 123'456'789;

  /// A die of a socket; dies of one phase step together.
  void add_die(int number, int socket, int die, double watts, std::uint64_t start = kStart,
               Nanoseconds phase = 0ns) {
    const std::string domain = "package-" + std::to_string(number);
    machine_.add(domain, "intel-rapl:" + std::to_string(number),
                 "package-" + std::to_string(socket) + "-die-" + std::to_string(die), start,
                 65'532'610'987, phase);
    machine_.draw(domain, watts);
  }
  Result<RaplCounters> open() { return open(machine_.sleeper()); }
  Result<RaplCounters> open(const Sleeper& sleeper) {
    machine_.pass(50ms);
    return open_rapl_counters({.sysfs_root = machine_.sysfs_root(),
                               .procfs_root = machine_.procfs_root(),
                               .clock = &machine_.clock(),
                               .boot_clock = &machine_.boot_clock(),
                               .sleeper = &sleeper,
                               .perf_events = &machine_.perf_events()});
  }
  std::vector<std::string> names(const RaplCounters& opened) {
    std::vector<std::string> result;
    for (const RaplCounter& counter : opened.counters) {
      result.push_back(counter.domain.name);
    }
    return result;
  }

  CounterMachine machine_;
};

// mlco2/codecarbon, issue 1274: a Threadripper 1950X shows 68 W twice.
TEST_F(MirroredCountersTest, DiesThatShowOneCounterCountOnce) {
  add_die(0, 0, 0, 68);
  add_die(1, 0, 1, 68);
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_THAT(names(*opened), ElementsAre("package-0"));
  ASSERT_EQ(opened->faults.size(), 1U);
  EXPECT_EQ(opened->faults[0].code, "counters_mirrored");
  EXPECT_THAT(opened->faults[0].error.message,
              HasSubstr("package-1 shows the counter of package-0"));
}

TEST_F(MirroredCountersTest, EachSocketHasItsOwnCounter) {
  for (int die = 0; die < 4; ++die) {
    add_die(die, 0, die, 90);
    add_die(4 + die, 1, die, 50, 987'654);
  }
  const auto opened = open();
  ASSERT_TRUE(opened);
  EXPECT_THAT(names(*opened), ElementsAre("package-0", "package-4"));
  EXPECT_EQ(opened->faults.size(), 6U);
}

TEST_F(MirroredCountersTest, DiesThatCountApartAddUp) {
  add_die(0, 0, 0, 30);
  add_die(1, 0, 1, 38);
  const Instant before = machine_.clock().now();
  const auto opened = open();
  ASSERT_TRUE(opened);
  EXPECT_THAT(names(*opened), ElementsAre("package-0", "package-1"));
  EXPECT_THAT(opened->faults, IsEmpty());
  EXPECT_LT(machine_.clock().now() - before, 60ms) << "a look or two are enough";
}

TEST_F(MirroredCountersTest, DiesOfEqualPowerAreDistinguishedByTheirCounters) {
  add_die(0, 0, 0, 34, 1'000'000'000);
  add_die(1, 0, 1, 34, 2'000'000'000);
  const auto opened = open();
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->counters.size(), 2U);
}

TEST_F(MirroredCountersTest, SocketsAreNeverTreatedAsOne) {
  for (int socket = 0; socket < 2; ++socket) {
    const std::string name = "package-" + std::to_string(socket);
    machine_.add(name, "intel-rapl:" + std::to_string(socket), name, kStart, 65'532'610'987, 0ns);
    machine_.draw(name, 40);
  }
  const auto opened = open();
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->counters.size(), 2U);
}

TEST_F(MirroredCountersTest, ADieThatShowsTheCounterLaterIsMirroredToo) {
  add_die(0, 0, 0, 68);
  add_die(1, 0, 1, 68, kStart, 400us);
  const auto opened = open();
  ASSERT_TRUE(opened);
  EXPECT_THAT(names(*opened), ElementsAre("package-0"));
}

TEST_F(MirroredCountersTest, EqualCountersThatStandStillAreOne) {
  add_die(0, 0, 0, 0);
  add_die(1, 0, 1, 0);
  add_die(2, 0, 2, 0, 55);
  const auto opened = open();
  ASSERT_TRUE(opened);
  EXPECT_THAT(names(*opened), ElementsAre("package-0", "package-2"));
}

TEST_F(MirroredCountersTest, OnABusyMachineAFewStepsAreEnough) {
  add_die(0, 0, 0, 68);
  add_die(1, 0, 1, 68);
  add_die(2, 0, 2, 68, 55);
  const auto opened = open(LateSleeper(machine_));
  ASSERT_TRUE(opened);
  EXPECT_THAT(names(*opened), ElementsAre("package-0", "package-2"));
}

TEST_F(MirroredCountersTest, EventsOfDiesAreDistinguishedByTheirSteps) {
  for (const double second : {68.0, 61.0}) {
    SCOPED_TRACE(second);
    CounterMachine machine;
    for (int die = 0; die < 2; ++die) {
      const std::string name = "package-" + std::to_string(die);
      machine.add(name, "intel-rapl:" + std::to_string(die), name, 0, 65'532'610'987, 0ns);
      machine.draw(name, die == 0 ? 68 : second);
    }
    machine.add_perf_files(2, true);
    machine.remove_powercap();
    const auto opened = open_rapl_counters({.sysfs_root = machine.sysfs_root(),
                                            .procfs_root = machine.procfs_root(),
                                            .clock = &machine.clock(),
                                            .boot_clock = &machine.boot_clock(),
                                            .sleeper = &machine.sleeper(),
                                            .perf_events = &machine.perf_events()});
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->way, "perf events");
    EXPECT_EQ(opened->counters.size(), second == 68 ? 1U : 2U);
  }
}

// What lies in a package that is not counted must not become a root.
TEST_F(MirroredCountersTest, TheCoresOfADieThatIsLeftOutAreLeftOutToo) {
  add_die(0, 0, 0, 68);
  add_die(1, 0, 1, 68);
  machine_.add("core-1", "intel-rapl:1:0", "core", 2'000, 65'532'610'987, 0ns);
  machine_.add("dram-1", "intel-rapl:1:1", "dram", 3'000, 65'532'610'987, 0ns);
  machine_.draw("core-1", 3);
  machine_.draw("dram-1", 5);
  const auto opened = open();
  ASSERT_TRUE(opened);
  EXPECT_THAT(names(*opened), ElementsAre("package-0", "dram-1"));
}

}  // namespace
}  // namespace enprof
