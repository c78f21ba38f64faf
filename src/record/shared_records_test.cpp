#include "record/shared_records.hpp"

#include "record/recorder_test_support.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::plan_of;
using testing::TickingClock;

const SharedRecords::Capacity kCapacity{.spans = {.spans = 64, .tokens = 4, .text_bytes = 64},
                                        .passes = {.passes = 8, .operations = 64}};

/// The recorders of two processes: theirs runs the engine, ours keeps the run.
class SharedRecordsTest : public ::testing::Test {
 protected:
  SharedRecordsTest() {
    ours_.begin();
    theirs_.begin();
  }

  void follow(bool last = false) {
    feed_.follow([&](std::size_t, std::string_view text) { heard_.emplace_back(text); }, last);
  }

  /// What ours has must equal what theirs has: but for the run and its last phase, which are ours.
  void expect_same() {
    const RecordingView ours = ours_.recording();
    const RecordingView theirs = theirs_.recording();
    ASSERT_EQ(ours.spans.size(), theirs.spans.size());
    for (std::size_t index = 1; index < ours.spans.size(); ++index) {
      Span expected = theirs.spans[index];
      if (expected.level == Level::phase) {
        expected.begin = ours.spans[index].begin;
        expected.end = ours.spans[index].end;
      }
      EXPECT_EQ(ours.spans[index], expected) << index;
    }
    EXPECT_EQ(ours.names, theirs.names);
    EXPECT_EQ(ours.token_texts, theirs.token_texts);
    EXPECT_EQ(ours.cut_spans, theirs.cut_spans);
  }

  TickingClock clock_;
  // Vectors of this type are aligned to pages in the program.
  struct alignas(64) Line {
    std::byte bytes[64];  // NOLINT(modernize-avoid-c-arrays)
  };
  std::vector<Line> lines_ =
      std::vector<Line>(SharedRecords::bytes_for(kCapacity) / sizeof(Line) + 1);
  std::span<std::byte> memory_ = std::as_writable_bytes(std::span(lines_));
  SharedRecords writer_{memory_, kCapacity};
  SharedRecords reader_{memory_, kCapacity};
  EventRing events_{64};
  RunRecorder ours_{kCapacity.spans, &events_, clock_};
  PassRecorder our_passes_{kCapacity.passes, clock_};
  RunRecorder theirs_{kCapacity.spans,  nullptr, clock_,
                      &writer_.spans(), nullptr, &writer_.texts()};
  PassRecorder their_passes_{kCapacity.passes, clock_, &writer_.passes(), nullptr,
                             &writer_.pass_memory()};
  RecordFeed feed_{reader_, ours_, our_passes_};
  std::vector<std::string> heard_;
};

TEST_F(SharedRecordsTest, ARunIsTheSameOnBothSides) {
  theirs_.close(theirs_.open_section(Phase::pre_inference, "tokenization"));
  const auto forward = theirs_.open_section(Phase::prefill, "forward");
  follow();
  const auto first = theirs_.open_token(Phase::prefill);
  theirs_.set_text(first, "Hel");
  theirs_.close(first);
  theirs_.close(forward);
  const auto second = theirs_.open_token(Phase::decode);
  theirs_.close(theirs_.open_section(Phase::decode, "sampling"));
  theirs_.set_text(second, "lo");
  theirs_.close(second);
  const auto third = theirs_.open_token(Phase::decode);
  theirs_.discard_token(third);
  theirs_.close(third);
  follow();
  theirs_.end();
  follow(true);
  ours_.end();

  expect_same();
  EXPECT_EQ(feed_.lost(), 0U);
  EXPECT_THAT(heard_, ElementsAre("Hel", "lo"));
  const auto& spans = ours_.recording().spans;
  EXPECT_EQ(spans[1].begin, spans[0].begin);
  std::size_t events = 0;
  for (EventRecord event; events_.pop(event);) {
    events += event.type == EventType::token_complete ? 1U : 0U;
  }
  EXPECT_EQ(events, 2U);
}

TEST_F(SharedRecordsTest, ASpanThatAnotherPhaseCutOffIsCountedOnce) {
  static_cast<void>(theirs_.open_section(Phase::prefill, "open"));
  theirs_.close(theirs_.open_section(Phase::decode, "next"));
  theirs_.end();
  follow(true);
  ours_.end();
  expect_same();
  EXPECT_EQ(ours_.recording().cut_spans, 1U);
}

TEST_F(SharedRecordsTest, PassesComeWithTheirStampsAndSequences) {
  const SharedPlan plan = plan_of(2);
  const auto index = their_passes_.add_plan(plan);
  const auto section = theirs_.open_section(Phase::prefill, "forward");
  const std::vector<BatchSequence> batch{{.id = 3, .first_position = 7, .tokens = 2, .outputs = 1}};
  const auto pass = their_passes_.open(index, theirs_.place(), batch);
  their_passes_.stamp(pass);
  their_passes_.stamp(pass);
  their_passes_.close(pass);
  theirs_.close(section);

  follow();
  EXPECT_TRUE(our_passes_.recording().passes.empty()) << "its plan is not known yet";
  static_cast<void>(our_passes_.add_plan(plan));
  follow();
  our_passes_.end();
  const PassRecordingView ours = our_passes_.recording();
  const PassRecordingView theirs = their_passes_.recording();
  ASSERT_EQ(ours.passes.size(), 1U);
  EXPECT_EQ(ours.passes[0], theirs.passes[0]);
  EXPECT_TRUE(std::ranges::equal(ours.stamps_of(ours.passes[0]), theirs.stamps));
  EXPECT_TRUE(std::ranges::equal(ours.sequences_of(ours.passes[0]), batch));
  EXPECT_EQ(feed_.lost(), 0U);
}

TEST_F(SharedRecordsTest, WhatWasRecordedBeforeAProcessDiedIsThere) {
  const auto token = theirs_.open_token(Phase::decode);
  theirs_.set_text(token, "x");
  theirs_.close(token);
  static_cast<void>(theirs_.open_token(Phase::decode));  // and then it is gone
  follow(true);
  ours_.end();
  const RecordingView ours = ours_.recording();
  ASSERT_EQ(ours.spans.size(), 4U);  // run, decode, two tokens
  EXPECT_EQ(ours.spans[3].end, ours.spans[0].end);
  EXPECT_EQ(ours.token_texts[0], "x");
}

TEST_F(SharedRecordsTest, DamagedRecordsAreCountedAndLeftOut) {
  const auto push = [&](std::int32_t index, bool open, const Span& span) {
    writer_.spans().push({.index = index, .open = open, .span = span});
  };
  const Instant now = clock_.now();
  push(-5, true, {.begin = now, .parent = 0, .level = Level::section});
  push(9, true, {.begin = now, .parent = 0, .level = Level::section});  // 1 to 8 are missing
  push(1, true, {.begin = now, .parent = 7, .level = Level::section});
  push(1, true, {.begin = now, .parent = 0, .level = static_cast<Level>(99)});
  push(1, true,
       {.begin = now, .parent = 0, .level = Level::phase, .phase = static_cast<Phase>(99)});
  push(1, true, {.begin = now, .parent = 0, .token = 3, .level = Level::token});
  push(1, true, {.begin = Instant{}, .parent = 0, .level = Level::section});
  writer_.passes().push({.pass = {.begin = now, .place = {.parent = 99}}});
  writer_.passes().push({.pass = {.begin = now, .state = static_cast<PassState>(77)}});
  writer_.passes().push(
      {.pass = {.begin = now, .plan = 12, .first_stamp = 1U << 31U, .stamp_count = 1U << 31U}});
  follow(true);
  ours_.end();
  our_passes_.end();
  EXPECT_EQ(feed_.lost(), 9U);
  EXPECT_EQ(ours_.recording().spans.size(), 1U);
  ASSERT_EQ(our_passes_.recording().passes.size(), 1U);
  EXPECT_EQ(our_passes_.recording().passes[0].state, PassState::mismatched);
}

TEST_F(SharedRecordsTest, NonsenseEverywhereHarmsNothing) {
  for (const unsigned byte : {0xFFU, 0x7FU, 0x01U, 0xABU}) {
    std::ranges::fill(memory_, static_cast<std::byte>(byte));
    memory_[RingBuffer<int>::kAlignment] = std::byte{0x55};  // of where the ring's records end
    follow(true);
  }
  ours_.end();
  our_passes_.end();
  EXPECT_GT(feed_.lost(), 0U);
}

}  // namespace
}  // namespace enprof
