#include "enprof/model/domain.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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

// powermetrics' combined_power is cpu + gpu + ane: adding it to them would count them twice.
TEST(Domain, TheChipContainsItsPartsButNotTheMemory) {
  const auto chip = domains({"soc", "cpu", "gpu", "ane", "dram"});
  EXPECT_EQ(roots(chip), (std::vector<std::string>{"soc", "dram"}));
  EXPECT_EQ(chip[3].parent, 0U);
  EXPECT_EQ(roots(domains({"cpu", "soc", "psys", "dram"})), (std::vector<std::string>{"psys"}));
}

// Some existing tools wrongly add up package + core + uncore.
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
  // Each source numbers the GPUs of its own maker.
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

std::string container(const std::vector<Domain>& all, std::string_view name) {
  const auto domain = std::ranges::find(all, name, &Domain::name);
  EXPECT_NE(domain, all.end()) << name;
  return domain->parent ? all[*domain->parent].name : std::string{};
}

Domain scoped(std::string_view name, DomainScope scope, std::string source = {}) {
  Domain domain = domain_from_name(name);
  domain.scope = scope;
  domain.source = std::move(source);
  return domain;
}

TEST(Domain, AnInstanceLiesInItsGpuAndNoOther) {
  const auto all = domains({"gpu-0", "gpu-1", "mig-1-0", "mig-1-1"});
  EXPECT_EQ(all[2].kind, DomainKind::mig);
  EXPECT_EQ(all[2].socket, 1);
  EXPECT_EQ(container(all, "mig-1-0"), "gpu-1");
  EXPECT_EQ(container(all, "mig-1-1"), "gpu-1");
  EXPECT_EQ(roots(all), (std::vector<std::string>{"gpu-0", "gpu-1"}));
  EXPECT_EQ(roots(domains({"mig-0-0", "mig-0-1"})),
            (std::vector<std::string>{"mig-0-0", "mig-0-1"}))
      << "if the GPU itself is not in the list, its instances are disjoint";
}

TEST(Domain, AnInstanceLiesInNoGpuOfAnotherSource) {
  std::vector<Domain> all{scoped("gpu-0", DomainScope::device, "hwmon"),
                          scoped("mig-0-0", DomainScope::device, "nvml")};
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"gpu-0", "mig-0-0"}));
  all.push_back(scoped("nvml:gpu-0", DomainScope::device, "nvml"));
  all.back().kind = DomainKind::gpu;
  all.back().socket = 0;
  link_parents(all);
  EXPECT_EQ(container(all, "mig-0-0"), "nvml:gpu-0");
}

TEST(Domain, AModuleContainsItsGpuAndItsCpu) {
  std::vector<Domain> all{scoped("module-0", DomainScope::module, "nvml"),
                          scoped("gpu-0", DomainScope::device, "nvml"),
                          scoped("module-1", DomainScope::module, "nvml"),
                          scoped("gpu-1", DomainScope::device, "nvml"),
                          scoped("gpu-2", DomainScope::board, "nvml"),
                          scoped("dram-1", DomainScope::by_kind),
                          scoped("cpu", DomainScope::by_kind),
                          scoped("hwmon:gpu-0", DomainScope::device, "hwmon")};
  link_parents(all);
  EXPECT_EQ(container(all, "gpu-0"), "module-0");
  EXPECT_EQ(container(all, "gpu-1"), "module-1");
  EXPECT_EQ(container(all, "gpu-2"), "");
  EXPECT_EQ(container(all, "dram-1"), "module-1");
  EXPECT_EQ(container(all, "cpu"), "module-0") << "all CPUs are on the modules";
  EXPECT_EQ(container(all, "hwmon:gpu-0"), "") << "another maker's card is on no module";
  all.push_back(domain_from_name("psys"));
  link_parents(all);
  EXPECT_EQ(container(all, "module-1"), "psys");
  EXPECT_EQ(container(all, "gpu-1"), "module-1");
  EXPECT_EQ(roots(all), (std::vector<std::string>{"psys"}));
}

// A battery and a power supply include the display and the losses; RAPL's platform does not.
TEST(Domain, WhatSeesTheMachineContainsThePlatform) {
  std::vector<Domain> all{domain_from_name("psys"), domain_from_name("package-0"),
                          scoped("battery:psys", DomainScope::machine),
                          scoped("hwmon:psys", DomainScope::machine)};
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"battery:psys"}));
  EXPECT_EQ(container(all, "psys"), "battery:psys");
  EXPECT_EQ(container(all, "hwmon:psys"), "battery:psys") << "the first of two for the machine";
}

TEST(Domain, WhatMayBePartOfAnotherIsNotAddedToIt) {
  std::vector<Domain> all{scoped("ina/VDD_GPU", DomainScope::unclear),
                          domain_from_name("package-0"), domain_from_name("wall")};
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"package-0", "wall"}));
  all = {scoped("ina/VIN", DomainScope::unclear), scoped("ina/VDD_GPU", DomainScope::unclear)};
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"ina/VIN"})) << "the first stands alone";
  all.push_back(domain_from_name("psys"));
  link_parents(all);
  EXPECT_EQ(container(all, "ina/VDD_GPU"), "psys");
}

TEST(Domain, WhatIsUnclearContainsNothing) {
  auto all = domains({"psys", "package-0", "core-0", "dram-0", "package-1", "core-1"});
  all[0].scope = DomainScope::unclear;
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"package-0", "dram-0", "package-1"}));
  EXPECT_EQ(container(all, "psys"), "package-0") << "shown, and not added";
  all[4].scope = DomainScope::unclear;
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"package-0", "dram-0", "core-1"}));
  all = domains({"package-0", "hwmon:package-0", "core-0"});
  all[0].scope = DomainScope::unclear;
  link_parents(all);
  EXPECT_EQ(roots(all), (std::vector<std::string>{"hwmon:package-0"}));
  EXPECT_EQ(container(all, "core-0"), "hwmon:package-0");
  EXPECT_EQ(container(all, "package-0"), "hwmon:package-0");
}

TEST(Domain, ARailLiesInWhatItsSourceAddedUp) {
  std::vector<Domain> all{scoped("package-0", DomainScope::by_kind, "rapl"),
                          scoped("module-0", DomainScope::module, "hwmon"),
                          scoped("ina3221/VDD_GPU_SOC", DomainScope::rail, "hwmon")};
  link_parents(all);
  EXPECT_EQ(container(all, "ina3221/VDD_GPU_SOC"), "module-0");
  all = {scoped("package-0", DomainScope::by_kind, "hwmon"),
         scoped("package-1", DomainScope::by_kind, "hwmon"),
         scoped("zenpower/cpu1 SVI2_P_Core", DomainScope::rail, "hwmon")};
  all[2].socket = 1;
  link_parents(all);
  EXPECT_EQ(container(all, "zenpower/cpu1 SVI2_P_Core"), "package-1");
  EXPECT_EQ(roots(all), (std::vector<std::string>{"package-0", "package-1"}));
}

TEST(Domain, KindsAndScopesHaveNamesOfTheirOwn) {
  for (int kind = 0; kind <= static_cast<int>(DomainKind::other); ++kind) {
    const auto value = static_cast<DomainKind>(kind);
    EXPECT_EQ(to_string(value) == "other", value == DomainKind::other);
    EXPECT_EQ(domain_from_name(to_string(value)).kind, value);
  }
  for (int scope = 0; scope <= static_cast<int>(DomainScope::unclear); ++scope) {
    const auto value = static_cast<DomainScope>(scope);
    EXPECT_EQ(to_string(value) == "unclear", value == DomainScope::unclear);
  }
}

TEST(Domain, ACoreBelongsToThePackageOfItsOwnSocket) {
  const auto all = domains({"package-0", "core-1", "package-1"});
  ASSERT_TRUE(all[1].parent);
  EXPECT_EQ(all[*all[1].parent].name, "package-1");
}

}  // namespace
}  // namespace enprof
