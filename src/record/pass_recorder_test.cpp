#include "record/pass_recorder.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;

/// Moves on by one millisecond at each look.
class TickingClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override { return now_ += 1ms; }

 private:
  mutable Instant now_{};
};

SharedPlan plan_of(std::size_t count) {
  OperationPlan plan;
  for (std::size_t index = 0; index < count; ++index) {
    plan.operations.push_back({.component = "op " + std::to_string(index)});
  }
  return std::make_shared<const OperationPlan>(std::move(plan));
}

class PassRecorderTest : public ::testing::Test {
 protected:
  /// A pass with so many stamps.
  static void make_pass(PassRecorder& recorder, std::uint32_t plan, std::size_t stamps) {
    const std::int32_t pass = recorder.open(plan, {});
    for (std::size_t stamp = 0; stamp < stamps; ++stamp) {
      recorder.stamp(pass);
    }
    recorder.close(pass);
  }

  TickingClock clock_;
  PassRecorder recorder_{{.passes = 8, .operations = 64}, clock_};
};

TEST_F(PassRecorderTest, StampsAreTheEndsOfOperations) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(2));
  const std::int32_t pass = recorder_.open(plan, {.parent = 3, .spans_before = 5});  // at 1 ms
  recorder_.start(pass);                                                             // 2 ms
  recorder_.stamp(pass);
  recorder_.start(pass);  // too late: nothing happens
  recorder_.stamp(pass);
  recorder_.close(pass);
  recorder_.end();
  const PassRecording recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 1U);
  const PassRecord& record = recording.passes[0];
  EXPECT_EQ(record.state, PassState::complete);
  EXPECT_EQ(record.begin, Instant{1ms});
  EXPECT_EQ(record.start, Instant{2ms});
  EXPECT_EQ(record.end, Instant{5ms});
  EXPECT_EQ(record.place.parent, 3);
  EXPECT_EQ(record.place.spans_before, 5U);
  EXPECT_EQ(recording.stamps, (std::vector<Instant>{Instant{3ms}, Instant{4ms}}));
}

TEST_F(PassRecorderTest, AnotherNumberOfStampsThanOperationsIsAMismatch) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(2));
  make_pass(recorder_, plan, 1);
  make_pass(recorder_, plan, 3);
  make_pass(recorder_, plan, 2);
  recorder_.end();
  const PassRecording recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 3U);
  EXPECT_EQ(recording.passes[0].state, PassState::mismatched);
  EXPECT_EQ(recording.passes[1].state, PassState::mismatched);
  EXPECT_EQ(recording.passes[2].state, PassState::complete);
  EXPECT_EQ(recording.passes[2].first_stamp, 0U);
  EXPECT_EQ(recording.stamps.size(), 2U);
}

TEST_F(PassRecorderTest, APlanThatNobodyAddedIsAMismatch) {
  make_pass(recorder_, 7, 2);
  recorder_.end();
  EXPECT_EQ(recorder_.recording().passes.at(0).state, PassState::mismatched);
}

TEST_F(PassRecorderTest, ADiscardedPassKeepsItsTimeAlone) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(1));
  const std::int32_t pass = recorder_.open(plan, {});
  recorder_.stamp(pass);
  recorder_.discard(pass);
  recorder_.close(pass);
  recorder_.end();
  const PassRecording recording = recorder_.recording();
  EXPECT_EQ(recording.passes.at(0).state, PassState::discarded);
  EXPECT_EQ(recording.passes.at(0).end - recording.passes.at(0).begin, 2ms);
  EXPECT_TRUE(recording.stamps.empty());
}

TEST_F(PassRecorderTest, WhatDoesNotFitKeepsItsTimeAndIsTold) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(30));  // two of them in 64
  for (int pass = 0; pass < 10; ++pass) {
    make_pass(recorder_, plan, 30);
  }
  recorder_.end();
  const PassRecording recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 8U);
  EXPECT_EQ(recording.lost_passes, 2U);
  EXPECT_EQ(recording.passes[1].state, PassState::complete);
  EXPECT_EQ(recording.passes[2].state, PassState::dropped);
  EXPECT_GT(recording.passes[2].end, recording.passes[2].begin);
  EXPECT_EQ(recording.stamps.size(), 60U);
}

TEST_F(PassRecorderTest, ALargerPlanFindsRoomWhenItIsAdded) {
  // Room for usual passes is made at once; this one needs more of what is allowed.
  PassRecorder recorder{{.passes = 2, .operations = 1U << 20U}, clock_};
  const std::uint32_t small = recorder.add_plan(plan_of(3));
  make_pass(recorder, small, 3);
  const std::size_t many = 9 * PassRecorder::kUsualOperations + 5;
  const std::uint32_t large = recorder.add_plan(plan_of(many));
  make_pass(recorder, large, many);
  recorder.end();
  const PassRecording recording = recorder.recording();
  ASSERT_EQ(recording.passes.size(), 2U);
  EXPECT_EQ(recording.passes[1].state, PassState::complete);
  EXPECT_EQ(recording.passes[1].first_stamp, 3U);
  ASSERT_EQ(recording.stamps.size(), 3 + many);
  EXPECT_EQ(recording.stamps[3], recording.passes[1].begin + 1ms);
  EXPECT_EQ(recording.stamps.back(), recording.passes[1].end - 1ms);
}

TEST_F(PassRecorderTest, OpeningTheNextEndsTheOneBefore) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(1));
  const std::int32_t first = recorder_.open(plan, {});
  recorder_.stamp(first);
  const std::int32_t second = recorder_.open(plan, {});
  recorder_.stamp(first);  // no longer open: nothing happens
  recorder_.discard(first);
  recorder_.stamp(second);
  recorder_.close(first);
  recorder_.end();
  const PassRecording recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 2U);
  EXPECT_EQ(recording.passes[0].state, PassState::complete);
  EXPECT_EQ(recording.passes[1].state, PassState::complete);
  EXPECT_LE(recording.passes[0].end, recording.passes[1].begin);
}

TEST_F(PassRecorderTest, NothingIsRecordedAfterTheEndOrWithoutRoomForPasses) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(1));
  recorder_.end();
  make_pass(recorder_, plan, 1);
  EXPECT_TRUE(recorder_.recording().passes.empty());
  PassRecorder none{{}, clock_};
  make_pass(none, none.add_plan(plan_of(1)), 1);
  none.end();
  EXPECT_TRUE(none.recording().passes.empty());
  EXPECT_EQ(none.recording().lost_passes, 0U);
}

TEST_F(PassRecorderTest, APassMayBeAddedWhenItIsOver) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(2));
  const std::vector<Instant> ends{Instant{-6ms}, Instant{-5ms}};
  recorder_.add(plan, {.parent = 1}, Instant{-9ms}, Instant{-8ms}, ends);
  recorder_.add(plan, {.parent = 1}, Instant{5ms}, Instant{5ms}, {});
  recorder_.add(plan, {.parent = 1}, Instant{7ms}, Instant{7ms}, std::span(ends).first(1));
  recorder_.end();
  const PassRecording recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 3U);
  EXPECT_EQ(recording.passes[0].state, PassState::complete);
  EXPECT_EQ(recording.passes[0].begin, Instant{-9ms});
  EXPECT_EQ(recording.passes[0].start, Instant{-8ms});
  EXPECT_EQ(recording.passes[1].state, PassState::discarded);
  EXPECT_EQ(recording.passes[2].state, PassState::mismatched);
  EXPECT_EQ(recording.stamps, ends);
}

}  // namespace
}  // namespace enprof
