#include "base/log.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(Log, LinesHaveLevelComponentAndMessage) {
  const testing::TempDir dir;
  const auto path = dir.path() / "enprof.log";
  ASSERT_TRUE(set_log_file(path));
  set_log_level(LogLevel::info);
  constexpr Logger log{"power"};
  log.info("PowerMonitor started successfully with {}ms sampling interval", 10);
  log.debug("not written");
  log.error("{}", "failed");
  const std::string text = testing::read_file(path);
  EXPECT_NE(text.find("info    power     PowerMonitor started successfully with 10ms"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("error   power     failed"), std::string::npos) << text;
  EXPECT_EQ(text.find("not written"), std::string::npos);
  set_log_level(LogLevel::off);
}

TEST(Log, AMessageIsOneLineAndCannotDriveTheTerminal) {
  const testing::TempDir dir;
  const auto path = dir.path() / "enprof.log";
  ASSERT_TRUE(set_log_file(path));
  set_log_level(LogLevel::info);
  constexpr Logger log{"profile"};
  log.info("Starting profiling run {} for model {}", "4f2a", "evil\n2026-01-01 error \x1b[2J");
  const std::string text = testing::read_file(path);
  EXPECT_TRUE(text.ends_with("for model evil\\n2026-01-01 error \\x1b[2J\n")) << text;
  set_log_level(LogLevel::off);
}

TEST(Log, AFileThatTakesNothingChangesNothing) {
  ASSERT_TRUE(set_log_file("/dev/full"));
  set_log_level(LogLevel::info);
  constexpr Logger log{"power"};
  ::testing::internal::CaptureStderr();
  log.info("first");
  log.info("second");
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("enprof: the log cannot be written, lines are missing: "), std::string::npos)
      << said;
  EXPECT_EQ(said.find("lines are", said.find("lines are") + 1), std::string::npos) << said;
  set_log_level(LogLevel::off);
}

TEST(Log, AFileThatCannotBeOpenedIsAnErrorWithItsPath) {
  const auto result = set_log_file("/proc/no/such/enprof.log");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("/proc/no/such/enprof.log"), std::string::npos);
  EXPECT_FALSE(result.error().hint.empty());
}

}  // namespace
}  // namespace enprof
