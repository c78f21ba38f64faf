#include "record/run_recorder.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace enprof {
namespace {

using namespace std::chrono_literals;

/// Advances by one millisecond at each reading.
class TickingClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override { return now_ += 1ms; }

 private:
  mutable Instant now_{};
};

class RunRecorderTest : public ::testing::Test {
 protected:
  TickingClock clock_;
  EventRing events_{64};
  RunRecorder recorder_{{.spans = 64, .tokens = 4, .text_bytes = 16}, &events_, clock_};
};

TEST_F(RunRecorderTest, PhasesFollowEachOtherWithoutGaps) {
  recorder_.begin();
  recorder_.enter(Phase::prefill);
  recorder_.close(recorder_.open_section(Phase::decode, "forward"));
  recorder_.end();
  const RecordingView recording = recorder_.recording();

  ASSERT_EQ(recording.spans.size(), 4U);
  const Span& run = recording.spans[0];
  const Span& prefill = recording.spans[1];
  const Span& decode = recording.spans[2];
  EXPECT_EQ(prefill.begin, run.begin);
  EXPECT_EQ(prefill.end, decode.begin);
  EXPECT_EQ(decode.end, run.end);
  EXPECT_EQ(recording.spans[3].parent, 2);
  EXPECT_EQ(recording.names[recording.spans[3].name], "forward");
}

TEST_F(RunRecorderTest, AnEarlierPhaseDoesNotEndTheCurrentOne) {
  recorder_.begin();
  recorder_.enter(Phase::decode);
  recorder_.close(recorder_.open_section(Phase::prefill, "late"));
  recorder_.end();
  EXPECT_EQ(recorder_.recording().spans.back().phase, Phase::decode);
}

TEST_F(RunRecorderTest, AnotherPhaseEndsWhatIsOpenAndCountsIt) {
  recorder_.begin();
  const auto outer = recorder_.open_section(Phase::prefill, "outer");
  const auto inner = recorder_.open_section(Phase::prefill, "inner");
  const auto token = recorder_.open_token(Phase::decode);
  recorder_.set_text(token, "a");
  recorder_.close(token);
  recorder_.close(inner);  // too late: nothing happens
  recorder_.close(outer);
  recorder_.end();
  const RecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.cut_spans, 2U);
  const Span& decode = recording.spans[static_cast<std::size_t>(token)];
  EXPECT_EQ(decode.phase, Phase::decode);
  const Span& phase = recording.spans[static_cast<std::size_t>(decode.parent)];
  EXPECT_EQ(phase.level, Level::phase);
  EXPECT_EQ(phase.phase, Phase::decode);
  for (const std::int32_t cut : {outer, inner}) {
    EXPECT_EQ(recording.spans[static_cast<std::size_t>(cut)].end, phase.begin);
    EXPECT_EQ(recording.spans[static_cast<std::size_t>(cut)].phase, Phase::prefill);
  }
  EXPECT_EQ(recording.token_texts, std::vector<std::string_view>{"a"});
}

TEST_F(RunRecorderTest, AnOlderTokensTextLeavesThoseOfLaterOnesAlone) {
  recorder_.begin();
  const auto first = recorder_.open_token(Phase::decode);
  const auto second = recorder_.open_token(Phase::decode);
  recorder_.set_text(second, "bb");
  recorder_.set_text(first, "aaa");
  recorder_.set_text(second, "BB");  // no longer the last in memory
  recorder_.set_text(first, "AAAA");
  const auto third = recorder_.open_token(Phase::decode);
  recorder_.set_text(third, "cc");
  recorder_.discard_token(third);
  recorder_.close(third);
  recorder_.set_text(second, "b");
  recorder_.close(first);
  recorder_.end();
  const RecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.token_texts, (std::vector<std::string_view>{"AAAA", "b"}));
  EXPECT_EQ(recording.dropped_text_bytes, 0U);
}

TEST_F(RunRecorderTest, TheTextOfATokenThatHasEndedIsNotTouched) {
  recorder_.begin();
  const auto outer = recorder_.open_section(Phase::decode, "outer");
  const auto token = recorder_.open_token(Phase::decode);
  recorder_.set_text(token, "kept");
  recorder_.close(outer);  // and the token in it, which is pushed to the rings
  recorder_.set_text(token, "late");
  recorder_.end();
  const RecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.token_texts, std::vector<std::string_view>{"kept"});
  EXPECT_EQ(recording.dropped_text_bytes, 4U);
}

TEST_F(RunRecorderTest, TokensHaveNumbersAndTexts) {
  recorder_.begin();
  for (const std::string_view text : {"Hel", "lo"}) {
    const auto token = recorder_.open_token(Phase::decode);
    recorder_.close(recorder_.open_section(Phase::decode, "forward"));
    recorder_.set_text(token, text);
    recorder_.close(token);
  }
  recorder_.end();
  const RecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.token_texts, (std::vector<std::string_view>{"Hel", "lo"}));
  EXPECT_EQ(recording.spans.back().token, 1);  // the section worked for token 1
}

TEST_F(RunRecorderTest, ADiscardedTokenKeepsOnlyItsTime) {
  recorder_.begin();
  auto token = recorder_.open_token(Phase::decode);
  recorder_.set_text(token, "kept");
  recorder_.close(token);
  token = recorder_.open_token(Phase::decode);
  recorder_.set_text(token, "</s>");
  recorder_.discard_token(token);
  recorder_.close(token);
  recorder_.end();
  const RecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.token_texts, (std::vector<std::string_view>{"kept"}));
  EXPECT_EQ(recording.spans.back().token, Span::kNone);
  EXPECT_EQ(recording.spans.back().level, Level::token);
}

TEST_F(RunRecorderTest, ClosingAnOuterSpanClosesTheInnerOnes) {
  recorder_.begin();
  const auto outer = recorder_.open_section(Phase::prefill, "outer");
  const auto inner = recorder_.open_section(Phase::prefill, "inner");
  recorder_.close(outer);
  recorder_.close(inner);  // too late: nothing happens
  recorder_.end();
  const RecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.spans[static_cast<std::size_t>(inner)].end,
            recording.spans[static_cast<std::size_t>(outer)].end);
}

TEST_F(RunRecorderTest, EndClosesEverythingAndNothingIsRecordedAfterIt) {
  recorder_.begin();
  const auto open = recorder_.open_section(Phase::prefill, "left open");
  recorder_.end();
  const Instant end = recorder_.end_time();
  recorder_.close(open);
  EXPECT_EQ(recorder_.open_section(Phase::decode, "after"), Span::kNone);
  EXPECT_EQ(recorder_.open_token(Phase::decode), Span::kNone);
  recorder_.end();
  EXPECT_EQ(recorder_.end_time(), end);
  EXPECT_EQ(recorder_.recording().spans.back().end, end);
}

TEST_F(RunRecorderTest, WhatDoesNotFitIsDroppedAndCounted) {
  recorder_.begin();
  for (int index = 0; index < 6; ++index) {  // there is room for 4 tokens
    const auto token = recorder_.open_token(Phase::decode);
    recorder_.set_text(token, "sevench");  // and for 16 bytes
    recorder_.close(token);
  }
  for (int index = 0; index < 100; ++index) {
    recorder_.close(recorder_.open_section(Phase::decode, "s"));
  }
  recorder_.end();
  const RecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.spans.size(), 64U);
  EXPECT_EQ(recording.dropped_spans, 2U + 100U - (64U - 6U));
  EXPECT_EQ(recording.dropped_text_bytes, 4U * 7U - 16U);
  EXPECT_EQ(recording.token_texts.size(), 4U);
}

TEST_F(RunRecorderTest, NestingTooDeepIsDropped) {
  recorder_.begin();
  std::int32_t last = Span::kNone;
  for (std::size_t depth = 0; depth < RunRecorder::kMaxOpen + 3; ++depth) {
    last = recorder_.open_section(Phase::prefill, "deep");
  }
  EXPECT_EQ(last, Span::kNone);
  recorder_.end();
  EXPECT_GT(recorder_.recording().dropped_spans, 0U);
}

TEST_F(RunRecorderTest, NamesBeyondTheTableShareOne) {
  recorder_.begin();
  for (int index = 0; index < 100; ++index) {
    recorder_.close(recorder_.open_section(Phase::prefill, "name " + std::to_string(index)));
  }
  recorder_.end();
  const RecordingView recording = recorder_.recording();
  EXPECT_EQ(recording.names.size(), RunRecorder::kMaxNames);
  EXPECT_EQ(recording.names.back(), "(other)");
}

TEST_F(RunRecorderTest, ALongNameIsCut) {
  recorder_.begin();
  const std::string name(200, 'x');
  recorder_.close(recorder_.open_section(Phase::prefill, name));
  recorder_.end();
  EXPECT_EQ(recorder_.recording().names.back(), name.substr(0, RunRecorder::kMaxNameLength));
}

TEST_F(RunRecorderTest, SectionsAndTokensMakeEvents) {
  recorder_.begin();
  const auto token = recorder_.open_token(Phase::decode);
  recorder_.close(recorder_.open_section(Phase::decode, "forward"));
  recorder_.close(token);
  EventRecord event;
  ASSERT_TRUE(events_.pop(event));
  EXPECT_EQ(event.type, EventType::section_start);
  ASSERT_TRUE(events_.pop(event));
  EXPECT_EQ(event.type, EventType::section_end);
  EXPECT_EQ(event.duration, 1ms);
  EXPECT_EQ(recorder_.name(event.name), "forward");
  ASSERT_TRUE(events_.pop(event));
  EXPECT_EQ(event.type, EventType::token_complete);
  EXPECT_EQ(event.token, 0);
  EXPECT_FALSE(events_.pop(event));
}

}  // namespace
}  // namespace enprof
