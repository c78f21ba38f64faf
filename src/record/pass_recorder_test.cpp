#include "record/pass_recorder.hpp"

#include "record/recorder_test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::plan_of;
using testing::TickingClock;

class PassRecorderTest : public ::testing::Test {
 protected:
  /// Records a pass with this number of stamps.
  static void make_pass(PassRecorder& recorder, std::uint32_t plan, std::size_t stamps) {
    const std::int32_t pass = recorder.open(plan, {});
    for (std::size_t stamp = 0; stamp < stamps; ++stamp) {
      recorder.stamp(pass);
    }
    recorder.close(pass);
  }

  static std::vector<Instant> ends(const PassRecordingView& recording, std::size_t pass) {
    std::vector<Instant> result;
    read_stamps(recording.passes[pass].start, recording.stamps_of(recording.passes[pass]), result);
    return result;
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
  const PassRecordingView recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 1U);
  const PassRecord& record = recording.passes[0];
  EXPECT_EQ(record.state, PassState::complete);
  EXPECT_EQ(record.begin, Instant{1ms});
  EXPECT_EQ(record.start, Instant{2ms});
  EXPECT_EQ(record.end, Instant{5ms});
  EXPECT_EQ(record.place.parent, 3);
  EXPECT_EQ(record.place.spans_before, 5U);
  EXPECT_EQ(ends(recording, 0), (std::vector<Instant>{Instant{3ms}, Instant{4ms}}));
}

TEST_F(PassRecorderTest, AnotherNumberOfStampsThanOperationsIsAMismatch) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(2));
  make_pass(recorder_, plan, 1);
  make_pass(recorder_, plan, 3);
  make_pass(recorder_, plan, 2);
  recorder_.end();
  const PassRecordingView recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 3U);
  EXPECT_EQ(recording.passes[0].state, PassState::mismatched);
  EXPECT_EQ(recording.passes[1].state, PassState::mismatched);
  EXPECT_EQ(recording.passes[2].state, PassState::complete);
  EXPECT_EQ(recording.passes[2].first_stamp, 0U);
  EXPECT_EQ(recording.stamps.size(), 2U);
}

TEST_F(PassRecorderTest, AnUnknownPlanIsAMismatch) {
  make_pass(recorder_, 7, 2);
  recorder_.end();
  EXPECT_EQ(recorder_.recording().passes[0].state, PassState::mismatched);
}

TEST_F(PassRecorderTest, ADiscardedPassKeepsOnlyItsTime) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(1));
  const std::int32_t pass = recorder_.open(plan, {});
  recorder_.stamp(pass);
  recorder_.discard(pass);
  recorder_.close(pass);
  recorder_.end();
  const PassRecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.passes[0].state, PassState::discarded);
  EXPECT_EQ(recording.passes[0].end - recording.passes[0].begin, 2ms);
  EXPECT_TRUE(recording.stamps.empty());
}

TEST_F(PassRecorderTest, APassWhoseStampsDoNotFitKeepsItsTime) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(30));  // 64 stamps are enough for two
  for (int pass = 0; pass < 10; ++pass) {
    make_pass(recorder_, plan, 30);
  }
  recorder_.end();
  const PassRecordingView recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 8U);
  EXPECT_EQ(recording.lost_passes, 2U);
  EXPECT_EQ(recording.passes[1].state, PassState::complete);
  EXPECT_EQ(recording.passes[2].state, PassState::dropped);
  EXPECT_GT(recording.passes[2].end, recording.passes[2].begin);
  EXPECT_EQ(recording.stamps.size(), 60U);
}

TEST_F(PassRecorderTest, ALargerPlanGetsMemoryWhenItIsAdded) {
  // The constructor touches memory for usual passes; the large plan needs more of the capacity.
  PassRecorder recorder{{.passes = 2, .operations = 1U << 20U}, clock_};
  const std::uint32_t small = recorder.add_plan(plan_of(3));
  make_pass(recorder, small, 3);
  const std::size_t many = 9 * PassRecorder::kUsualOperations + 5;
  const std::uint32_t large = recorder.add_plan(plan_of(many));
  make_pass(recorder, large, many);
  recorder.end();
  const PassRecordingView recording = recorder.recording();
  ASSERT_EQ(recording.passes.size(), 2U);
  EXPECT_EQ(recording.passes[1].state, PassState::complete);
  EXPECT_EQ(recording.passes[1].first_stamp, 3U);
  ASSERT_EQ(recording.stamps.size(), 3 + many);
  EXPECT_EQ(ends(recording, 1).front(), recording.passes[1].begin + 1ms);
  EXPECT_EQ(ends(recording, 1).back(), recording.passes[1].end - 1ms);
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
  const PassRecordingView recording = recorder_.recording();
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

TEST_F(PassRecorderTest, APassMayBeAddedWhenItHasEnded) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(2));
  const std::vector<Instant> ends{Instant{-6ms}, Instant{-5ms}};
  recorder_.add(plan, {.parent = 1}, Instant{-9ms}, Instant{-8ms}, ends);
  recorder_.add(plan, {.parent = 1}, Instant{5ms}, Instant{5ms}, {});
  recorder_.add(plan, {.parent = 1}, Instant{7ms}, Instant{7ms}, std::span(ends).first(1));
  recorder_.end();
  const PassRecordingView recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 3U);
  EXPECT_EQ(recording.passes[0].state, PassState::complete);
  EXPECT_EQ(recording.passes[0].begin, Instant{-9ms});
  EXPECT_EQ(recording.passes[0].start, Instant{-8ms});
  EXPECT_EQ(recording.passes[1].state, PassState::discarded);
  EXPECT_EQ(recording.passes[2].state, PassState::mismatched);
  EXPECT_EQ(this->ends(recording, 0), ends);
  EXPECT_EQ(recording.passes[2].stamp_count, 0U);
}

TEST_F(PassRecorderTest, APassHasTheSequencesOfItsBatch) {
  const std::uint32_t plan = recorder_.add_plan(plan_of(1));
  const std::vector<BatchSequence> two{
      {.id = 4, .first_position = 17, .tokens = 1, .outputs = 1},
      {.id = 9, .first_position = 0, .tokens = 30, .outputs = 0},
  };
  const std::int32_t open = recorder_.open(plan, {}, two);
  recorder_.stamp(open);
  recorder_.close(open);
  make_pass(recorder_, plan, 1);  // without a batch
  recorder_.add(plan, {}, Instant{4ms}, Instant{4ms}, {}, std::span(two).first(1));
  recorder_.end();
  const PassRecordingView recording = recorder_.recording();
  ASSERT_EQ(recording.passes.size(), 3U);
  EXPECT_TRUE(std::ranges::equal(recording.sequences_of(recording.passes[0]), two));
  EXPECT_TRUE(recording.sequences_of(recording.passes[1]).empty());
  EXPECT_TRUE(
      std::ranges::equal(recording.sequences_of(recording.passes[2]), std::span(two).first(1)));
  EXPECT_EQ(recording.lost_sequences, 0U);
}

TEST_F(PassRecorderTest, ABatchThatDoesNotFitIsLostAsAWhole) {
  PassRecorder recorder{{.passes = 4, .operations = 64, .sequences = 3}, clock_};
  const std::uint32_t plan = recorder.add_plan(plan_of(0));
  const std::vector<BatchSequence> two(2);
  recorder.close(recorder.open(plan, {}, two));
  recorder.close(recorder.open(plan, {}, two));
  recorder.close(recorder.open(plan, {}, std::span(two).first(1)));
  recorder.end();
  const PassRecordingView recording = recorder.recording();
  EXPECT_EQ(recording.passes[0].sequence_count, 2U);
  EXPECT_EQ(recording.passes[1].sequence_count, 0U);
  EXPECT_EQ(recording.passes[2].sequence_count, 1U);
  EXPECT_EQ(recording.lost_sequences, 2U);
}

TEST_F(PassRecorderTest, ARingGivesPassesWhoseStampsAndSequencesAreInTheMemory) {
  PassRing ring(8);
  PassRecorder recorder{{.passes = 4, .operations = 64}, clock_, &ring};
  const std::uint32_t plan = recorder.add_plan(plan_of(2));
  const BatchSequence sequence{.id = 3, .first_position = 5, .tokens = 1, .outputs = 1};
  const std::int32_t open = recorder.open(plan, {}, std::span(&sequence, 1));
  recorder.stamp(open);
  recorder.stamp(open);
  recorder.close(open);
  PassEntry entry;
  ASSERT_TRUE(ring.pop(entry));
  EXPECT_EQ(entry.index, 0);
  EXPECT_EQ(entry.pass, recorder.recording().passes[0]);
  std::vector<Instant> ends;
  read_stamps(entry.pass.start, recorder.memory().stamps_of(entry.pass), ends);
  EXPECT_EQ(ends, (std::vector<Instant>{entry.pass.start + 1ms, entry.pass.start + 2ms}));
  ASSERT_EQ(recorder.memory().sequences_of(entry.pass).size(), 1U);
  EXPECT_EQ(recorder.memory().sequences_of(entry.pass)[0], sequence);
}

}  // namespace
}  // namespace enprof
