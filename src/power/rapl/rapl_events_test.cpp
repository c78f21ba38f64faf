#include "power/rapl/rapl_events.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RaplEventsTest : public ::testing::Test {
 protected:
  static constexpr const char* kPmu = "bus/event_source/devices/power/";

  RaplEventsTest() {
    dir_.write(std::string(kPmu) + "type", "24\n");
    cpumask("0\n");
  }
  void cpumask(const std::string& text) { dir_.write(std::string(kPmu) + "cpumask", text); }
  void event(const std::string& name, const std::string& code,
             const std::string& scale = "2.3283064365386962890625e-10",
             const std::string& unit = "Joules") {
    const std::string file = std::string(kPmu) + "events/" + name;
    dir_.write(file, "event=" + code + "\n");
    dir_.write(file + ".scale", scale + "\n");
    dir_.write(file + ".unit", unit + "\n");
  }
  void cpu(int number, int socket, int die) {
    const std::string topology = "devices/system/cpu/cpu" + std::to_string(number) + "/topology/";
    dir_.write(topology + "physical_package_id", std::to_string(socket) + "\n");
    dir_.write(topology + "die_id", std::to_string(die) + "\n");
  }
  std::vector<std::string> names() {
    std::vector<std::string> result;
    if (const auto events = find_rapl_events(dir_.path())) {
      for (const RaplEvent& found : *events) {
        result.push_back(found.domain.name);
      }
    }
    return result;
  }

  testing::TempDir dir_;
};

TEST_F(RaplEventsTest, EachSocketHasItsOwn) {
  cpumask("0,24\n");
  cpu(0, 0, 0);
  cpu(24, 1, 0);
  event("energy-pkg", "0x02");
  event("energy-ram", "0x03");
  event("energy-psys", "0x05");
  EXPECT_THAT(names(), ElementsAre("psys", "package-0", "package-1", "dram-0", "dram-1"));
  const auto events = find_rapl_events(dir_.path());
  const RaplEvent& second = (*events)[2];
  EXPECT_EQ(second.event.type, 24U);
  EXPECT_EQ(second.event.config, 2U);
  EXPECT_EQ(second.event.cpu, 24);
  EXPECT_EQ(second.event.name, "power/energy-pkg/");
  EXPECT_EQ(second.unit, Joules{0x1p-32});
  EXPECT_EQ(second.domain.kind, DomainKind::package);
  EXPECT_EQ(second.domain.socket, 1);
  EXPECT_EQ(second.die_of, std::nullopt) << "a socket of one die";
}

TEST_F(RaplEventsTest, HasTheNamesOfTheZones) {
  cpu(0, 0, 0);
  event("energy-cores", "0x01");
  event("energy-pkg", "0x02");
  event("energy-gpu", "0x04");
  EXPECT_THAT(names(), ElementsAre("package-0", "core-0", "uncore-0"));
}

TEST_F(RaplEventsTest, AmdHasPackagesAlone) {
  cpu(0, 0, 0);
  event("energy-pkg", "0x02");
  dir_.write("bus/event_source/devices/power_core/type", "25\n");
  dir_.write("bus/event_source/devices/power_core/events/energy-core", "event=0x01\n");
  EXPECT_THAT(names(), ElementsAre("package-0"));
}

TEST_F(RaplEventsTest, DiesAreNumberedThrough) {
  cpumask("0-1,8-9\n");
  cpu(0, 0, 0);
  cpu(1, 0, 1);
  cpu(8, 1, 0);
  cpu(9, 1, 1);
  event("energy-pkg", "0x02");
  EXPECT_THAT(names(), ElementsAre("package-0", "package-1", "package-2", "package-3"));
  const auto events = find_rapl_events(dir_.path());
  EXPECT_EQ((*events)[1].die_of, 0);
  EXPECT_EQ((*events)[2].die_of, 1);
}

TEST_F(RaplEventsTest, SocketsWithoutTopologyAreCountedThrough) {
  cpumask("0,24\n");
  event("energy-pkg", "0x02");
  EXPECT_THAT(names(), ElementsAre("package-0", "package-1"));
}

TEST_F(RaplEventsTest, AnEventOfAnotherUnitIsLeftOut) {
  event("energy-pkg", "0x02");
  event("energy-ram", "0x03", "0.5", "Watts");
  event("energy-gpu", "0x04", "many");
  event("energy-cores", "0x01", "-1");
  event("energy-psys", "five");
  EXPECT_THAT(names(), ElementsAre("package-0"));
}

TEST_F(RaplEventsTest, WhereThereIsNoneItSaysWhatIsMissing) {
  const auto none = find_rapl_events(dir_.path());
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("events"));
  for (const char* mask : {"", "x\n", "3-1\n", "-1\n", "0-99999999\n", "0,,\n"}) {
    cpumask(mask);
    event("energy-pkg", "0x02");
    const auto masked = find_rapl_events(dir_.path());
    ASSERT_FALSE(masked) << mask;
    EXPECT_EQ(masked.error().code, ErrorCode::not_found);
    EXPECT_THAT(masked.error().message, HasSubstr("cpumask"));
  }
  const testing::TempDir empty;
  const auto missing = find_rapl_events(empty.path());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr("power/type"));
}

}  // namespace
}  // namespace enprof
