#include "power/powermetrics/powermetrics_command.hpp"

#include "support/fake_powermetrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(PowermetricsCommand, IsWhatSudoIsAskedFor) {
  const testing::FakePowermetrics fake("");
  const auto command = find_powermetrics(fake.command());
  ASSERT_TRUE(command) << command.error().message;
  EXPECT_EQ(command->period, 50ms);
  EXPECT_EQ(command->words, fake.command());
  ASSERT_EQ(command->allowed.size(), 7U);
  EXPECT_EQ(command->allowed.front(), (fake.path() / "powermetrics").string());
  EXPECT_EQ(command->allowed.back(), "cpu_power,gpu_power,thermal");
  EXPECT_EQ(fake.calls(), 0) << "find_powermetrics ran it";
}

// visudo of sudo 1.9.13 takes this line and refuses the one with bare commas.
TEST(PowermetricsCommand, TheSudoersLineAllowsExactlyIt) {
  PowermetricsCommand command;
  command.allowed = {"/usr/bin/powermetrics",      "-f", "plist", "-i", "100", "--samplers",
                     "cpu_power,gpu_power,thermal"};
  EXPECT_EQ(sudoers_line(command, "joule"),
            R"(joule ALL=(root) NOPASSWD: /usr/bin/powermetrics -f plist -i 100 --samplers )"
            R"(cpu_power\,gpu_power\,thermal)");
  command.allowed = {"/p", R"(a:b=c\d)"};
  EXPECT_EQ(sudoers_line(command, "j"), R"(j ALL=(root) NOPASSWD: /p a\:b\=c\\d)");
}

TEST(PowermetricsCommand, NotInstalledIsNotFound) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"sudo", "-n", "/nowhere/powermetrics", "-f", "plist", "-i", "100"},
        std::vector<std::string>{"/nowhere/powermetrics", "-f", "plist", "-i", "100"}}) {
    const auto command = find_powermetrics(words);
    ASSERT_FALSE(command);
    EXPECT_EQ(command.error().code, ErrorCode::not_found);
    EXPECT_THAT(command.error().message, HasSubstr("/nowhere/powermetrics"));
    EXPECT_THAT(command.error().hint, HasSubstr("macOS only"));
    EXPECT_THAT(command.error().hint, HasSubstr("--power rapl"));
    EXPECT_THAT(command.error().hint, HasSubstr("--power estimate"));
  }
  const auto no_sudo =
      find_powermetrics({"/nowhere/sudo", "-n", "/bin/sh", "-f", "plist", "-i", "1"});
  ASSERT_FALSE(no_sudo);
  EXPECT_THAT(no_sudo.error().message, HasSubstr("There is no /nowhere/sudo"));
}

TEST(PowermetricsCommand, ACommandThatCannotWorkIsRefused) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"sudo", "-n"}, std::vector<std::string>{"/bin/sh"},
        std::vector<std::string>{"/bin/sh", "-f", "plist"},
        std::vector<std::string>{"/bin/sh", "-f", "plist", "-i"},
        std::vector<std::string>{"/bin/sh", "-f", "plist", "-i", "0"},
        std::vector<std::string>{"/bin/sh", "-f", "plist", "-i", "fast"},
        std::vector<std::string>{"/bin/sh", "-f", "text", "-i", "100"}}) {
    const auto command = find_powermetrics(words);
    ASSERT_FALSE(command);
    EXPECT_EQ(command.error().code, ErrorCode::invalid_argument);
  }
  // Its first sample would come too late.
  const auto slow = find_powermetrics({"/bin/sh", "-f", "plist", "-i", "2000"});
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(slow.error().message, HasSubstr("2000 ms"));
  EXPECT_THAT(slow.error().hint, HasSubstr("-i 1000 or less"));
}

TEST(PowermetricsCommand, RefusalsAreToldFromOtherEnds) {
  PowermetricsCommand command;
  command.allowed = {"/usr/bin/powermetrics", "-i", "100"};
  for (const char* const said :
       {"sudo: a password is required\n", "joule is not in the sudoers file.\n",
        "Sorry, user joule is not allowed to execute '/usr/bin/powermetrics' as root on mac.\n",
        "powermetrics must be invoked as the superuser\n"}) {
    const Error error = explain_exit(command, {.code = 1}, said);
    EXPECT_EQ(error.code, ErrorCode::permission_denied) << said;
    EXPECT_THAT(error.hint, HasSubstr("NOPASSWD: /usr/bin/powermetrics -i 100"));
    EXPECT_THAT(error.hint, HasSubstr("setup-power-access --apply"));
  }
  EXPECT_EQ(
      explain_exit(command, {.code = 1}, "sudo: /usr/bin/powermetrics: command not found").code,
      ErrorCode::not_found);
  const Error crash = explain_exit(command, {.code = 134}, "abort()\nhere\n");
  EXPECT_EQ(crash.code, ErrorCode::process_exited);
  EXPECT_THAT(crash.message, HasSubstr("exit code 134: abort(); here"));
  EXPECT_THAT(explain_exit(command, {.code = std::nullopt, .signal = 9}, "").message,
              HasSubstr("signal 9 (Killed), without a message"));
}

}  // namespace
}  // namespace enprof
