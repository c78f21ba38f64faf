#include "base/program_path.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace enprof {
namespace {

TEST(ProgramPath, IsThisProgram) {
  EXPECT_EQ(program_path().filename(), "base_test");
  EXPECT_TRUE(std::filesystem::exists(program_path()));
}

TEST(SetupPowerAccess, IsTheScriptThatWasInstalledWithTheProgramElseThatOfTheSource) {
  const testing::TempDir prefix;
  EXPECT_EQ(setup_power_access(prefix.path() / "bin" / "enprof"), "tools/setup-power-access");
  EXPECT_EQ(setup_power_access({}), "tools/setup-power-access");
  std::filesystem::create_directories(prefix.path() / "libexec" / "enprof");
  const auto script = prefix.write("libexec/enprof/setup-power-access", "#!/bin/sh\n");
  EXPECT_EQ(setup_power_access(prefix.path() / "bin" / "enprof"), script.string());
}

}  // namespace
}  // namespace enprof
