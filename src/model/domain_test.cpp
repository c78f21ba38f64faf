#include "enprof/model/domain.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

std::vector<Domain> domains(std::initializer_list<std::string_view> names) {
  std::vector<Domain> result;
  for (const auto name : names) {
    result.push_back(domain_from_name(name));
  }
  link_parents(result);
  return result;
}

std::vector<std::string> roots(const std::vector<Domain>& all) {
  std::vector<std::string> names;
  for (const Domain& domain : all) {
    if (domain.is_root()) {
      names.push_back(domain.name);
    }
  }
  return names;
}

TEST(Domain, KindAndSocketComeFromTheName) {
  EXPECT_EQ(domain_from_name("package-1").kind, DomainKind::package);
  EXPECT_EQ(domain_from_name("package-1").socket, 1);
  EXPECT_EQ(domain_from_name("cpu").kind, DomainKind::cpu);
  EXPECT_EQ(domain_from_name("cpu").socket, std::nullopt);
  EXPECT_EQ(domain_from_name("gpu-12").socket, 12);
  EXPECT_EQ(domain_from_name("hwmon:package-1").kind, DomainKind::package);
  EXPECT_EQ(domain_from_name("hwmon:package-1").name, "hwmon:package-1");
  EXPECT_EQ(domain_from_name("wall").kind, DomainKind::other);
  EXPECT_EQ(domain_from_name("rack-7").kind, DomainKind::other);
  EXPECT_EQ(domain_from_name("package-x").kind, DomainKind::other);
  EXPECT_EQ(domain_from_name("").kind, DomainKind::other);
  EXPECT_EQ(domain_from_name("package-99999999999999999999").kind, DomainKind::other);
}

// combined_power of powermetrics is cpu + gpu + ane: added to them, it would count twice.
TEST(Domain, TheChipContainsItsPartsButNotTheMemory) {
  const auto chip = domains({"soc", "cpu", "gpu", "ane", "dram"});
  EXPECT_EQ(roots(chip), (std::vector<std::string>{"soc", "dram"}));
  EXPECT_EQ(chip[3].parent, 0U);
  EXPECT_EQ(roots(domains({"cpu", "soc", "psys", "dram"})), (std::vector<std::string>{"psys"}));
}

// package + core + uncore added up is a fault of tools in use.
TEST(Domain, OnlyDisjointDomainsAreRoots) {
  EXPECT_EQ(roots(domains({"package-0", "core-0", "uncore-0", "dram-0"})),
            (std::vector<std::string>{"package-0", "dram-0"}));
  EXPECT_EQ(roots(domains({"package-0", "core-0", "package-1", "core-1"})),
            (std::vector<std::string>{"package-0", "package-1"}));
  EXPECT_EQ(roots(domains({"core-0", "psys", "dram-0", "package-0", "gpu-0"})),
            (std::vector<std::string>{"psys"}));
  EXPECT_EQ(roots(domains({"core-0", "uncore-0"})),
            (std::vector<std::string>{"core-0", "uncore-0"}));
  EXPECT_EQ(roots(domains({"cpu", "gpu", "wall"})),
            (std::vector<std::string>{"cpu", "gpu", "wall"}));
}

TEST(Domain, WhatTwoSourcesMeasureCountsOnce) {
  EXPECT_EQ(roots(domains({"package-0", "dram-0", "hwmon:package-0", "hwmon:core-0"})),
            (std::vector<std::string>{"package-0", "dram-0"}));
  EXPECT_EQ(roots(domains({"psys", "battery:psys", "package-0"})),
            (std::vector<std::string>{"psys"}));
  EXPECT_EQ(roots(domains({"cpu", "package-0", "package-1", "core-0"})),
            (std::vector<std::string>{"cpu"}));
  // Each source numbers its own maker's GPUs.
  EXPECT_EQ(roots(domains({"gpu-0", "hwmon:gpu-0"})),
            (std::vector<std::string>{"gpu-0", "hwmon:gpu-0"}));
}

TEST(Domain, WhatIsMeasuredStandsBeforeAnEstimate) {
  auto all = domains({"cpu", "package-0", "package-1"});
  all[0].method = Method::estimated;
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"package-0", "package-1"}));
  all = domains({"cpu", "other:cpu"});
  all[0].method = Method::estimated;
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"other:cpu"}));
}

TEST(Domain, ACoreBelongsToThePackageOfItsOwnSocket) {
  const auto all = domains({"package-0", "core-1", "package-1"});
  ASSERT_TRUE(all[1].parent);
  EXPECT_EQ(all[*all[1].parent].name, "package-1");
}

}  // namespace
}  // namespace enprof
