#include "cli/exec_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace enprof {
namespace {

using Words = std::vector<std::string>;
using ::testing::ElementsAre;

/// What is left of a command line for our own parser.
Words ours(Words words) {
  CLI::App program{"test", "enprof"};
  std::string file;
  program.add_option("--log-file", file);
  program.add_flag("-v");
  ExecCommand command;
  command.declare(program);
  command.take_command(words);
  return words;
}

TEST(ExecCommand, WhatFollowsTheDashesIsAnotherProgramsCommand) {
  EXPECT_THAT(ours({"exec", "-r", "5", "--", "run", "--json", "x"}),
              ElementsAre("exec", "-r", "5"));
  EXPECT_THAT(ours({"exec", "--"}), ElementsAre("exec"));
}

TEST(ExecCommand, WithoutDashesTheFirstWordThatIsNoneOfOursBeginsIt) {
  EXPECT_THAT(ours({"exec", "-r", "5", "ls", "-l", "--", "x"}), ElementsAre("exec", "-r", "5"));
  EXPECT_THAT(ours({"exec", "-r5", "--json=x", "--no-save", "-v", "ls", "--no-save"}),
              ElementsAre("exec", "-r5", "--json=x", "--no-save", "-v"));
  EXPECT_THAT(ours({"--log-file", "exec", "-v", "exec", "ls"}),
              ElementsAre("--log-file", "exec", "-v", "exec"));
}

TEST(ExecCommand, OtherCommandsKeepTheirWords) {
  EXPECT_THAT(ours({"run", "m.gguf", "exec", "--", "x"}),
              ElementsAre("run", "m.gguf", "exec", "--", "x"));
  EXPECT_THAT(ours({"help", "exec"}), ElementsAre("help", "exec"));
  EXPECT_THAT(ours({}), ElementsAre());
  EXPECT_THAT(ours({"exec", "--json"}), ElementsAre("exec", "--json"));
}

}  // namespace
}  // namespace enprof
