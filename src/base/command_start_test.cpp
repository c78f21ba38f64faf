#include "base/command_start.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

/// PATH for the time of a test.
class PathVariable {
 public:
  explicit PathVariable(const std::string& value) : before_(std::getenv("PATH")) {
    setenv("PATH", value.c_str(), 1);
  }
  PathVariable(const PathVariable&) = delete;
  PathVariable& operator=(const PathVariable&) = delete;
  ~PathVariable() { setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

class CommandStartTest : public ::testing::Test {
 protected:
  fs::path program(const fs::path& name, const std::string& text) {
    const fs::path path = dir_.write(name, text);
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  static int exit_code(const std::string& path, const std::vector<std::string>& command) {
    const auto pid = start_command(path, command);
    EXPECT_TRUE(pid) << pid.error().message;
    int status = 0;
    EXPECT_EQ(waitpid(pid.value_or(-1), &status, 0), pid.value_or(-1));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  testing::TempDir dir_;
};

TEST_F(CommandStartTest, FindsANameInPathAndTakesAPathAsItIs) {
  const fs::path tool = program("bin/tool", "#!/bin/sh\nexit 4\n");
  fs::create_directories(dir_.path() / "first/tool");  // a directory is no program
  dir_.write("second/tool", "not executable");
  const std::string root = dir_.path().string();
  const PathVariable path(root + "/first:" + root + "/second:" + root + "/bin");
  EXPECT_EQ(find_command("tool").value_or(""), tool.string());
  EXPECT_EQ(find_command(tool.string()).value_or(""), tool.string());
  EXPECT_EQ(exit_code(tool, {"tool"}), 4);
}

TEST_F(CommandStartTest, WhatIsNotThereIsNotFoundWithASimilarName) {
  program("bin/measure", "#!/bin/sh\n");
  const PathVariable path((dir_.path() / "bin").string());
  const auto mistyped = find_command("mesaure");
  ASSERT_FALSE(mistyped);
  EXPECT_EQ(mistyped.error().code, ErrorCode::not_found);
  EXPECT_THAT(mistyped.error().message,
              HasSubstr("There is no program mesaure; did you mean measure?"));
  const auto unlike = find_command("zzz");
  ASSERT_FALSE(unlike);
  EXPECT_THAT(unlike.error().message, Not(HasSubstr("did you mean")));
  const auto gone = find_command((dir_.path() / "gone").string());
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::not_found);
  EXPECT_FALSE(find_command(""));
}

TEST_F(CommandStartTest, WhatMayNotBeExecutedIsRefused) {
  const fs::path text = dir_.write("bin/text", "hello");
  for (const std::string& name : {text.string(), dir_.path().string()}) {
    const auto refused = find_command(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, ErrorCode::permission_denied);
    EXPECT_THAT(refused.error().message, HasSubstr(name));
  }
  const PathVariable path((dir_.path() / "bin").string());
  const auto by_name = find_command("text");
  ASSERT_FALSE(by_name);
  EXPECT_EQ(by_name.error().code, ErrorCode::permission_denied);
  EXPECT_THAT(by_name.error().hint, HasSubstr("chmod +x"));
}

TEST_F(CommandStartTest, AScriptWithoutAFirstLineIsGivenToTheShell) {
  const fs::path script = program("script", "exit $(($1 + 1))\n");
  EXPECT_EQ(exit_code(script, {"script", "41"}), 42);
}

TEST_F(CommandStartTest, AMissingInterpreterIsSaid) {
  const fs::path script = program("script", "#!/no/such/interpreter\n");
  const auto started = start_command(script, {"script"});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::not_found);
  EXPECT_THAT(started.error().hint, HasSubstr("interpreter"));
}

TEST_F(CommandStartTest, ArgumentsThatAreTooLongAreSaid) {
  const auto started = start_command("/bin/true", {"true", std::string(64U << 20U, 'x')});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace enprof
