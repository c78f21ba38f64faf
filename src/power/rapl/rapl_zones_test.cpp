#include "power/rapl/rapl_zones.hpp"

#include "support/fake_procfs.hpp"
#include "support/fake_sysfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RaplZonesTest : public ::testing::Test {
 protected:
  std::vector<std::string> names() {
    std::vector<std::string> result;
    if (const auto zones = find_rapl_zones(rapl_.root(), procfs_.root())) {
      for (const RaplZone& zone : *zones) {
        result.push_back(zone.domain.name);
      }
    }
    return result;
  }

  testing::FakeRapl rapl_;
  testing::FakeProcfs procfs_{
      2, testing::FakeProcfs::x86("Intel(R) Xeon(R)", 2, 1, false, "GenuineIntel")};
};

TEST_F(RaplZonesTest, GoByNameAndNotByNumber) {
  // The platform comes first here, the packages are the wrong way round.
  rapl_.add("intel-rapl:0", "psys");
  rapl_.add("intel-rapl:1", "package-1");
  rapl_.add("intel-rapl:1:0", "dram");
  rapl_.add("intel-rapl:2", "package-0");
  rapl_.add("intel-rapl:2:0", "core");
  rapl_.add("intel-rapl:2:1", "uncore");
  rapl_.add("intel-rapl:2:2", "dram", 5, 65'532'610'987);
  EXPECT_THAT(names(), ElementsAre("psys", "package-1", "dram-1", "package-0", "core-0", "uncore-0",
                                   "dram-0"));
  const auto zones = find_rapl_zones(rapl_.root(), procfs_.root());
  EXPECT_EQ(zones->back().files.range_uj, 65'532'610'987U);
  EXPECT_EQ(zones->back().files.energy, rapl_.energy_path("intel-rapl:2:2"));
  EXPECT_EQ((*zones)[1].domain.kind, DomainKind::package);
  EXPECT_EQ((*zones)[1].domain.socket, 1);
}

TEST_F(RaplZonesTest, TenSocketsAreInOrder) {
  for (int socket = 0; socket < 11; ++socket) {
    rapl_.add("intel-rapl:" + std::to_string(socket), "package-" + std::to_string(socket));
  }
  const auto found = names();
  ASSERT_EQ(found.size(), 11U);
  EXPECT_EQ(found[2], "package-2");
  EXPECT_EQ(found[10], "package-10");
}

TEST_F(RaplZonesTest, AZoneThatOnlyLiesWithinAnotherIsFoundToo) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:0:0", "dram");
  std::filesystem::remove(rapl_.root() / "class/powercap/intel-rapl:0:0");
  EXPECT_THAT(names(), ElementsAre("package-0", "dram-0"));
}

TEST_F(RaplZonesTest, APackageIsCountedOnceWhateverTheWaysToIt) {
  rapl_.add("intel-rapl-mmio:0", "package-0");
  rapl_.add("intel-rapl-mmio:0:0", "dram");
  rapl_.add("intel-rapl:0", "package-0");
  EXPECT_THAT(names(), ElementsAre("package-0", "dram-0"));
  const auto zones = find_rapl_zones(rapl_.root(), procfs_.root());
  EXPECT_EQ((*zones)[0].files.energy, rapl_.energy_path("intel-rapl:0"));
  ASSERT_EQ((*zones)[0].others.size(), 1U);
  EXPECT_EQ((*zones)[0].others[0].energy, rapl_.energy_path("intel-rapl-mmio:0"));
}

TEST_F(RaplZonesTest, EachDieIsAPackage) {
  rapl_.add("intel-rapl:0", "package-0-die-0");
  rapl_.add("intel-rapl:1", "package-1-die-1");
  rapl_.add("intel-rapl:1:0", "dram");
  rapl_.add("intel-rapl:2", "package-0-die-1");
  rapl_.add("intel-rapl:3", "package-1-die-0");
  EXPECT_THAT(names(), ElementsAre("package-0", "package-3", "dram-3", "package-1", "package-2"));
  const auto zones = find_rapl_zones(rapl_.root(), procfs_.root());
  EXPECT_EQ((*zones)[0].die_of, 0);
  EXPECT_EQ((*zones)[2].die_of, 1) << "the memory of a die";
}

TEST_F(RaplZonesTest, TheCoreZoneOfAmdIsOneCoreAndLeftOut) {
  procfs_.write("cpuinfo", testing::FakeProcfs::x86("AMD EPYC 9554", 2));
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:0:0", "core");
  EXPECT_THAT(names(), ElementsAre("package-0"));
}

TEST_F(RaplZonesTest, OtherControllersAndUnknownZonesAreLeftOut) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:0:0", "mystery");
  rapl_.add("dtpm:0", "package-7");
  std::filesystem::create_directories(rapl_.root() / "class/powercap/intel-rapl:x");
  std::filesystem::create_directories(rapl_.root() / "class/powercap/intel-rapl:0:0:0");
  EXPECT_THAT(names(), ElementsAre("package-0"));
}

TEST_F(RaplZonesTest, AZoneThatDoesNotSayItsRangeIsFoundWithoutOne) {
  rapl_.add("intel-rapl:0", "package-0");
  rapl_.add("intel-rapl:1", "package-1", 5, 0);
  rapl_.add("intel-rapl:2", "package-2");
  std::filesystem::remove(rapl_.energy_path("intel-rapl:2").parent_path() / "max_energy_range_uj");
  const auto zones = find_rapl_zones(rapl_.root(), procfs_.root());
  ASSERT_TRUE(zones);
  ASSERT_EQ(zones->size(), 3U) << "a socket less would pass for all";
  EXPECT_EQ((*zones)[0].files.range_uj, testing::FakeRapl::kRange);
  EXPECT_EQ((*zones)[0].die_of, std::nullopt);
  EXPECT_EQ((*zones)[1].files.range_uj, std::nullopt);
  EXPECT_EQ((*zones)[2].files.range_uj, std::nullopt);
}

TEST_F(RaplZonesTest, WhereThereIsNoneItSaysWhereItLookedAndWhatToDo) {
  const auto empty = find_rapl_zones(rapl_.root(), procfs_.root());
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, ErrorCode::not_found);
  rapl_.remove_all();
  const auto missing = find_rapl_zones(rapl_.root(), procfs_.root());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  for (const auto& error : {empty.error(), missing.error()}) {
    EXPECT_THAT(error.message, HasSubstr((rapl_.root() / "class/powercap").string()));
    EXPECT_THAT(error.hint, HasSubstr("--power estimate"));
    EXPECT_THAT(error.hint, HasSubstr("virtual machine"));
  }
}

}  // namespace
}  // namespace enprof
