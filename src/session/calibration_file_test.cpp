#include "session/calibration_file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <fstream>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Calibration sample() {
  Calibration calibration{
      .key = {.model = "Some Model/7B",
              .architecture = "llama",
              .quantization = "Q4_K - Medium",
              .parameters = 7'000'000'001,
              .weight_bytes = 4'000'000'003,
              .cpu = "A CPU",
              .threads = 8,
              .domains = {"package-0", "dram-0"}},
      .made_at = decltype(Calibration::made_at){std::chrono::milliseconds{1'700'000'000'123}},
      .duration = std::chrono::seconds{45}};
  calibration.classes.push_back(
      {.phase = Phase::prefill,
       .component = "q_proj",
       .op = "MUL_MAT",
       .operations = 32,
       .pass_time = Nanoseconds{1'234'567},
       .replayed_time = Nanoseconds{1'200'001},
       .powers = {
           CalibratedClass::Power{.power = Watts{61.7}, .deviation = 1.0 / 300.0, .windows = 17},
           std::nullopt}});
  return calibration;
}

class CalibrationFolderTest : public ::testing::Test {
 protected:
  enprof::testing::TempDir directory_;
  CalibrationFolder folder_{directory_.path() / "calibration"};
};

TEST_F(CalibrationFolderTest, WhatIsKeptIsFoundAgain) {
  const auto kept = folder_.keep(sample());
  ASSERT_TRUE(kept) << kept.error().message;
  const auto found = folder_.find(sample().key);
  ASSERT_NE(found.calibration, nullptr) << found.why_not;
  EXPECT_EQ(*found.calibration, sample());
}

TEST_F(CalibrationFolderTest, WithoutAFileThereIsNone) {
  const auto found = folder_.find(sample().key);
  EXPECT_EQ(found.calibration, nullptr);
  EXPECT_THAT(found.why_not, IsEmpty());
}

TEST_F(CalibrationFolderTest, ANewOneReplacesTheOldOne) {
  ASSERT_TRUE(folder_.keep(sample()));
  Calibration newer = sample();
  newer.duration += Nanoseconds{1};
  ASSERT_TRUE(folder_.keep(newer));
  EXPECT_EQ(*folder_.find(sample().key).calibration, newer);
}

TEST_F(CalibrationFolderTest, OneForOtherConditionsIsNotUsedAndTheMessageSaysWhy) {
  ASSERT_TRUE(folder_.keep(sample()));
  const auto why_not = [&](auto change) {
    CalibrationKey key = sample().key;
    change(key);
    const auto found = folder_.find(key);
    EXPECT_EQ(found.calibration, nullptr);
    return found.why_not;
  };
  EXPECT_THAT(why_not([](auto& key) { key.threads = 2; }), HasSubstr("with 8 threads, not 2"));
  EXPECT_THAT(why_not([](auto& key) { key.cpu = "Another CPU"; }), HasSubstr("another CPU, A CPU"));
  EXPECT_THAT(why_not([](auto& key) { key.domains = {"cpu"}; }),
              HasSubstr("other sensors: package-0, dram-0"));
  EXPECT_THAT(why_not([](auto& key) { key.weight_bytes = 1; }), HasSubstr("another model"));
}

TEST_F(CalibrationFolderTest, ADamagedFileIsNotUsedAndTheMessageSaysWhy) {
  const auto kept = folder_.keep(sample());
  ASSERT_TRUE(kept);
  for (const char* const text :
       {"", "{", R"({"calibration": 2})", R"({"calibration": 1, "model": 7})"}) {
    std::ofstream(*kept, std::ios::trunc) << text;
    const auto found = folder_.find(sample().key);
    EXPECT_EQ(found.calibration, nullptr);
    EXPECT_THAT(found.why_not, HasSubstr("is no calibration")) << text;
  }
}

TEST_F(CalibrationFolderTest, EveryPrefixOfAFileIsRefused) {
  const std::string text = calibration_to_json(sample());
  ASSERT_TRUE(calibration_from_json(text, "it"));
  for (std::size_t length = 0; length + 2 < text.size(); length += 7) {
    EXPECT_FALSE(calibration_from_json(text.substr(0, length), "it")) << length;
  }
}

TEST_F(CalibrationFolderTest, AFolderThatCannotBeWrittenIsAnError) {
  std::ofstream(directory_.path() / "calibration") << "a file";
  const auto kept = folder_.keep(sample());
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().message, HasSubstr("calibration"));
}

}  // namespace
}  // namespace enprof
