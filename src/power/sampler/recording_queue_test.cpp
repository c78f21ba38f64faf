#include "power/sampler/recording_queue.hpp"

#include "power/recording/replay_file.hpp"
#include "support/fifo.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr Instant kOrigin{1h};

class RecordingQueueTest : public ::testing::Test {
 protected:
  std::unique_ptr<RecordingQueue> open(const std::filesystem::path& path) {
    auto recorder = WindowRecorder::open(path);
    EXPECT_TRUE(recorder) << recorder.error().message;
    auto queue = RecordingQueue::open(*std::move(recorder), {domain_from_name("package-0")});
    EXPECT_TRUE(queue) << queue.error().message;
    return *std::move(queue);
  }
  /// More than a pipe of any size holds.
  static std::vector<EnergyWindow> windows(std::size_t count = 10'000) {
    std::vector<EnergyWindow> result;
    for (std::size_t index = 0; index < count; ++index) {
      const Instant begin = kOrigin + index * 10ms;
      result.push_back({.domain = 0, .begin = begin, .end = begin + 10ms, .energy = Joules{0.5}});
    }
    return result;
  }

  testing::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "power.jsonl";
};

TEST_F(RecordingQueueTest, AllThatWasHandedOverIsInTheFileAtTheEnd) {
  const auto queue = open(path_);
  const auto all = windows();
  const std::span<const EnergyWindow> rest(all);
  for (std::size_t first = 0; first < all.size(); first += 100) {
    EXPECT_FALSE(queue->add(rest.subspan(first, 100), kOrigin));
  }
  queue->end(1h);
  EXPECT_FALSE(queue->failure());
  const auto file = read_replay_file(path_);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->windows.size(), all.size());
  EXPECT_EQ(file->windows.back().end, all.back().end - kOrigin);
  // Later windows do not belong to this recording.
  EXPECT_FALSE(queue->add(all, kOrigin));
  queue->end(1h);
  EXPECT_EQ(read_replay_file(path_)->windows.size(), all.size());
}

TEST_F(RecordingQueueTest, AFileThatHangsIsLeftBehind) {
  testing::Fifo fifo(path_);
  auto queue = open(path_);
  EXPECT_FALSE(queue->add(windows(), kOrigin));
  queue->end(10ms);
  const auto failure = queue->failure();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->at, windows().back().end);
  EXPECT_EQ(failure->error.code, ErrorCode::unavailable);
  EXPECT_THAT(failure->error.message, HasSubstr(path_.string()));
  EXPECT_THAT(failure->error.message, HasSubstr("within 0.01 s"));
  queue.reset();
  fifo.read_to_end();  // the thread can access what it needs until it has closed the file
}

TEST_F(RecordingQueueTest, WhatWaitsForAFileThatHangsIsBounded) {
  testing::Fifo fifo(path_);
  auto queue = open(path_);
  const auto many = windows();
  std::optional<Error> error;
  // This includes windows that the thread has taken: what it writes waits too.
  for (std::size_t waiting = 0; !error; waiting += many.size()) {
    ASSERT_LE(waiting, RecordingQueue::kCapacity);
    error = queue->add(many, kOrigin);
  }
  EXPECT_THAT(error->message, HasSubstr("sensor readings wait"));
  EXPECT_FALSE(queue->add(many, kOrigin)) << "returned once";
  queue->end(0ns);
  EXPECT_EQ(queue->failure()->error.message, error->message) << "the first one is kept";
  queue.reset();
  fifo.read_to_end();
}

TEST_F(RecordingQueueTest, AFileThatCannotBeWrittenEndsTheRecording) {
  if (!std::filesystem::exists("/dev/full")) {
    GTEST_SKIP() << "this system has no /dev/full";
  }
  const auto queue = open("/dev/full");
  EXPECT_FALSE(queue->add(windows(1), kOrigin));
  queue->end(1h);
  ASSERT_TRUE(queue->failure());
  EXPECT_EQ(queue->failure()->error.code, ErrorCode::too_large);
}

}  // namespace
}  // namespace enprof
