#include "power/sampler/window_recorder.hpp"

#include "power/recording/replay_file.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kOrigin{1h};

class WindowRecorderTest : public ::testing::Test {
 protected:
  testing::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "power.jsonl";
  std::vector<Domain> domains_{domain_from_name("package-0"), domain_from_name("dram-0")};
};

TEST_F(WindowRecorderTest, WritesWhatAReplayReads) {
  auto recorder = WindowRecorder::open(path_);
  ASSERT_TRUE(recorder) << recorder.error().message;
  const std::vector<EnergyWindow> windows{
      {.domain = 0, .begin = kOrigin + 123ns, .end = kOrigin + 10ms, .energy = Joules{0.5}},
      {.domain = 1, .begin = kOrigin + 1ms, .end = kOrigin + 10ms, .energy = Joules{0}}};
  ASSERT_TRUE((*recorder)->write(domains_, windows, kOrigin));
  const auto file = read_replay_file(path_);  // while it is being written
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->domains[1].name, "dram-0");
  EXPECT_EQ(file->windows[0],
            (ReplayWindow{.begin = 123ns, .end = 10ms, .energy = Joules{0.5}, .domain = 0}));
  EXPECT_EQ(file->windows[1].energy.value(), 0);
}

TEST_F(WindowRecorderTest, TellsHowUncertainAWindowIs) {
  auto recorder = WindowRecorder::open(path_);
  ASSERT_TRUE(recorder);
  domains_[0].stamp_error = 12us;
  domains_[1].method = Method::estimated;
  const std::vector<EnergyWindow> windows{
      {.domain = 0, .begin = kOrigin, .end = kOrigin + 10ms, .energy = Joules{1}},
      {.domain = 0,
       .stamp_error_ns = 288'675,
       .begin = kOrigin + 10ms,
       .end = kOrigin + 20ms,
       .energy = Joules{1}},
      {.domain = 1, .begin = kOrigin + 15ms, .end = kOrigin + 20ms, .energy = Joules{1}}};
  ASSERT_TRUE((*recorder)->write(domains_, windows, kOrigin));
  const auto file = read_replay_file(path_);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->windows.size(), 3U);
  EXPECT_EQ(file->windows[0].stamp_error_ns, 12'000U);
  EXPECT_EQ(file->windows[1].stamp_error_ns, 288'675U);
  EXPECT_EQ(file->windows[2].stamp_error_ns, 0U);
  EXPECT_EQ(file->domains[0].method, Method::measured);
  EXPECT_EQ(file->domains[1].method, Method::estimated);
}

TEST_F(WindowRecorderTest, CutsOffWhatLiesBeforeItsBegin) {
  auto recorder = WindowRecorder::open(path_);
  ASSERT_TRUE(recorder);
  const std::vector<EnergyWindow> windows{
      {.domain = 0, .begin = kOrigin - 20ms, .end = kOrigin, .energy = Joules{9}},
      {.domain = 0, .begin = kOrigin - 30ms, .end = kOrigin + 10ms, .energy = Joules{4}}};
  ASSERT_TRUE((*recorder)->write(domains_, windows, kOrigin));
  const auto file = read_replay_file(path_);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->windows.size(), 1U);
  EXPECT_EQ(file->windows[0].begin, 0ns);
  EXPECT_DOUBLE_EQ(file->windows[0].energy.value(), 1);
}

TEST_F(WindowRecorderTest, SaysWhereItCannotWrite) {
  const auto nowhere = WindowRecorder::open(dir_.path() / "none" / "power.jsonl");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::not_found);
  EXPECT_NE(nowhere.error().message.find("none/power.jsonl"), std::string::npos);
  EXPECT_FALSE(WindowRecorder::open(dir_.path()));
}

TEST_F(WindowRecorderTest, AFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full")) {
    GTEST_SKIP() << "this system has no /dev/full";
  }
  auto recorder = WindowRecorder::open("/dev/full");
  ASSERT_TRUE(recorder);
  const std::vector<EnergyWindow> windows{
      {.domain = 0, .begin = kOrigin, .end = kOrigin + 10ms, .energy = Joules{1}}};
  const auto written = (*recorder)->write(domains_, windows, kOrigin);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::too_large);
  EXPECT_NE(written.error().message.find("No space left"), std::string::npos);
}

}  // namespace
}  // namespace enprof
