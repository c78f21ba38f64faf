#include "base/cpu_directories.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

TEST(CpuDirectories, AreInTheOrderOfTheirNumbers) {
  const testing::TempDir dir;
  for (const char* name : {"cpu10", "cpu2", "cpu0", "cpufreq", "cpuidle", "power"}) {
    dir.write(std::string("devices/system/cpu/") + name + "/uevent", "");
  }
  std::vector<std::string> names;
  for (const auto& cpu : cpu_directories(dir.path())) {
    names.push_back(cpu.filename().string());
  }
  EXPECT_THAT(names, ::testing::ElementsAre("cpu0", "cpu2", "cpu10"));
  EXPECT_THAT(cpu_directories(dir.path() / "none"), ::testing::IsEmpty());
}

}  // namespace
}  // namespace enprof
