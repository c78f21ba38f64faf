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

TEST(LibraryPath, IsThisProgramWhereTheCodeIsPartOfIt) {
  EXPECT_EQ(library_path(), program_path());
}

TEST(SetupPowerAccess, IsTheScriptThatWasInstalledWithTheProgramOrTheLibrary) {
  const testing::TempDir prefix;
  const testing::TempDir strangers;
  const auto program = prefix.path() / "bin" / "enprof";
  const auto stranger = strangers.path() / "bin" / "game";
  const auto library = prefix.path() / "lib" / "libenprof.so";
  const auto debians = prefix.path() / "lib" / "x86_64-linux-gnu" / "libenprof.so";
  EXPECT_EQ(setup_power_access(program, library), std::nullopt);
  std::filesystem::create_directories(prefix.path() / "libexec" / "enprof");
  const auto script = prefix.write("libexec/enprof/setup-power-access", "#!/bin/sh\n");
  EXPECT_EQ(setup_power_access(program, program), script.string());
  EXPECT_EQ(setup_power_access(stranger, library), script.string());
  EXPECT_EQ(setup_power_access(stranger, debians), script.string());
  EXPECT_EQ(setup_power_access(stranger, stranger), std::nullopt);
  EXPECT_EQ(setup_power_access({}, {}), std::nullopt);
}

}  // namespace
}  // namespace enprof
