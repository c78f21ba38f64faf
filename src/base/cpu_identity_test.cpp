#include "base/cpu_identity.hpp"

#include "support/fake_procfs.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

#if !defined(__APPLE__)

using testing::FakeProcfs;

CpuIdentity identity(std::string_view cpuinfo) {
  const FakeProcfs procfs(2, cpuinfo);
  return read_cpu_identity(procfs.root());
}

TEST(CpuIdentity, ReadsNameSocketsAndMaker) {
  const auto cpu = identity(FakeProcfs::x86("AMD EPYC 9554 64-Core Processor", 8, 2));
  EXPECT_EQ(cpu.name, "AMD EPYC 9554 64-Core Processor");
  EXPECT_EQ(cpu.sockets, 2U);
  EXPECT_TRUE(cpu.is_amd);
  EXPECT_FALSE(cpu.is_virtual);
}

TEST(CpuIdentity, TidiesTheName) {
  const auto cpu = identity(
      FakeProcfs::x86("Intel(R) Core(TM)  i9-9900K CPU @ 3.60GHz", 2, 1, false, "GenuineIntel"));
  EXPECT_EQ(cpu.name, "Intel Core i9-9900K CPU");
  EXPECT_FALSE(cpu.is_amd);
}

TEST(CpuIdentity, KnowsAVirtualMachine) {
  EXPECT_TRUE(identity(FakeProcfs::x86("AMD EPYC", 2, 1, true)).is_virtual);
}

TEST(CpuIdentity, NamesArmCoresByTheirDesign) {
  const auto arm = [](std::string_view part) {
    return identity("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: " + std::string(part) +
                    "\n")
        .name;
  };
  EXPECT_EQ(arm("0xd0c"), "Arm Neoverse-N1");
  EXPECT_EQ(arm("0xfff"), "ARM implementer 0x41 part 0xfff");
}

TEST(CpuIdentity, IsEmptyWhereNothingIsSaid) {
  EXPECT_EQ(identity("nothing here\n").name, "");
  const testing::TempDir empty;
  const auto cpu = read_cpu_identity(empty.path());
  EXPECT_EQ(cpu.name, "");
  EXPECT_EQ(cpu.sockets, 1U);
}

#endif

}  // namespace
}  // namespace enprof
