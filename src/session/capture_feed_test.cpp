#include "session/capture_feed.hpp"

#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

/// A run of passes that are told, by a clock that the test moves.
class CaptureFeedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    begin_ = clock_.now();
    scope_.emplace(profiler_.run({.depth = Depth::deep, .max_output_tokens = 100}));
    feed_.emplace(*scope_, begin_, [this](const ToldGraph&, bool, std::size_t stamps) {
      ++plans_;
      return stamps == 2 ? std::optional{OperationPlan{{{.layer = 0, .component = "q_proj"},
                                                        {.layer = 1, .component = "q_proj"}}}}
                         : std::nullopt;
    });
    sink_ = feed_->make_sink(1);
    sink_->on_context({.number = 1, .layers = 2});
    sink_->on_graph(1, {.number = 1, .nodes = 2, .tensors = std::vector<ToldTensor>(2)});
  }

  [[nodiscard]] Instant at(Nanoseconds since) const { return begin_ + since; }
  [[nodiscard]] ToldPass pass(Nanoseconds from, Nanoseconds to,
                              std::vector<std::uint32_t> tokens) const {
    ToldPass told{.begin = at(from), .end = at(to)};
    for (const std::uint32_t count : tokens) {
      told.sequences.push_back({.id = static_cast<std::int32_t>(told.sequences.size()),
                                .first_position = 0,
                                .tokens = count,
                                .outputs = 1});
      told.tokens += count;
      ++told.outputs;
    }
    const Nanoseconds third = (to - from) / 3;
    told.segments.push_back({.graph = 1,
                             .nodes = 2,
                             .begin = told.begin,
                             .start = told.begin,
                             .ends = {told.begin + third, told.begin + 2 * third}});
    return told;
  }
  const ProfiledRun& finish(Nanoseconds end) {
    feed_->finish();
    clock_.advance(end - (clock_.now() - begin_));
    return scope_->finish();
  }
  [[nodiscard]] static std::vector<std::pair<Phase, Nanoseconds>> phases(const ProfiledRun& run) {
    std::vector<std::pair<Phase, Nanoseconds>> all;
    for (const PhaseFigure& phase : run.phases) {
      all.emplace_back(phase.phase, phase.figure.duration);
    }
    return all;
  }

  testing::ManualClock clock_;
  InferencePipelineProfiler profiler_{nullptr, nullptr, {.clock = &clock_, .spans_per_token = 3}};
  Instant begin_;
  std::optional<RunScope> scope_;
  std::optional<CaptureFeed> feed_;
  std::unique_ptr<ToldSink> sink_;
  int plans_ = 0;
};

TEST_F(CaptureFeedTest, APromptAndItsTokens) {
  sink_->on_pass(1, pass(100ms, 160ms, {8}));
  feed_->flush();
  sink_->on_pass(1, pass(161ms, 171ms, {1}));
  sink_->on_pass(1, pass(172ms, 182ms, {1}));
  const ProfiledRun& run = finish(200ms);
  EXPECT_EQ(phases(run),
            (std::vector<std::pair<Phase, Nanoseconds>>{{Phase::pre_inference, 100ms},
                                                        {Phase::prefill, 61ms},
                                                        {Phase::decode, 21ms},
                                                        {Phase::post_inference, 18ms}}));
  ASSERT_EQ(run.tokens.size(), 2U);
  EXPECT_EQ(run.tokens[1].begin, 172ms);
  EXPECT_EQ(run.tokens[1].figure.duration, 10ms);
  EXPECT_EQ(feed_->counts().prompt_tokens, 8U);
  EXPECT_EQ(feed_->counts().output_tokens, 2U);
  EXPECT_EQ(plans_, 1) << "a graph has one plan";
  ASSERT_EQ(run.layers.size(), 6U) << "two layers and what is outside, in two phases";
  EXPECT_EQ(run.operation_table.events.size(), 6U);
}

TEST_F(CaptureFeedTest, PhasesMayComeBackAndIdleTimeHasAName) {
  for (const Nanoseconds start : {0ms, 1000ms}) {
    sink_->on_pass(1, pass(start + 10ms, start + 20ms, {4}));
    sink_->on_pass(1, pass(start + 21ms, start + 31ms, {1}));
  }
  const ProfiledRun& run = finish(1031ms);
  EXPECT_EQ(phases(run),
            (std::vector<std::pair<Phase, Nanoseconds>>{{Phase::pre_inference, 10ms + 979ms},
                                                        {Phase::prefill, 22ms},
                                                        {Phase::decode, 20ms},
                                                        {Phase::post_inference, 0ms}}));
  const auto idle = std::ranges::find(run.sections, "idle", &SectionFigure::name);
  ASSERT_NE(idle, run.sections.end());
  EXPECT_EQ(idle->figure.duration, 979ms);
  Nanoseconds sum{0};
  for (const PhaseFigure& phase : run.phases) {
    sum += phase.figure.duration;
  }
  EXPECT_EQ(sum, run.totals.figure.duration);
}

TEST_F(CaptureFeedTest, ABatchOfSeveralSequencesIsAStepUnlessOneReadsAPrompt) {
  EXPECT_EQ(phase_of(pass(0ms, 1ms, {1, 1, 1})), Phase::decode);
  EXPECT_EQ(phase_of(pass(0ms, 1ms, {1, 5, 1})), Phase::prefill);
  ToldPass many = pass(0ms, 1ms, {1});
  many.other_sequences = 3;
  many.other_tokens = 3;
  EXPECT_EQ(phase_of(many), Phase::decode);
  many.other_tokens = 4;
  EXPECT_EQ(phase_of(many), Phase::prefill);
  many.is_encode = true;
  many.other_tokens = 3;
  EXPECT_EQ(phase_of(many), Phase::prefill);
}

TEST_F(CaptureFeedTest, OfTwoAtATimeTheLaterPartIsTaken) {
  const auto other = feed_->make_sink(2);
  other->on_context({.number = 1});
  sink_->on_pass(1, pass(10ms, 50ms, {1}));
  other->on_pass(1, pass(20ms, 40ms, {1}));
  other->on_pass(1, pass(45ms, 70ms, {1}));
  const ProfiledRun& run = finish(80ms);
  EXPECT_EQ(feed_->counts().overlapped, 2U);
  ASSERT_EQ(run.tokens.size(), 3U);
  EXPECT_EQ(run.tokens[0].begin, 20ms) << "the first that ended";
  EXPECT_EQ(run.tokens[1].begin, 40ms);
  EXPECT_EQ(run.tokens[1].figure.duration, 10ms);
  EXPECT_EQ(run.tokens[2].figure.duration, 20ms);
}

TEST_F(CaptureFeedTest, AFailedPassIsNoToken) {
  ToldPass failed = pass(10ms, 20ms, {1});
  failed.result = 1;
  sink_->on_pass(1, failed);
  const ProfiledRun& run = finish(30ms);
  EXPECT_TRUE(run.tokens.empty());
  EXPECT_EQ(feed_->counts().failed, 1U);
  EXPECT_EQ(feed_->counts().output_tokens, 0U);
}

TEST_F(CaptureFeedTest, StampsThatFitNoPlanAreCounted) {
  ToldPass odd = pass(10ms, 20ms, {1});
  odd.segments[0].ends.pop_back();
  sink_->on_pass(1, odd);
  ToldPass unknown = pass(21ms, 30ms, {1});
  unknown.segments[0].graph = 9;
  sink_->on_pass(1, unknown);
  const ProfiledRun& run = finish(40ms);
  EXPECT_EQ(feed_->counts().unplanned, 2U);
  EXPECT_EQ(run.tokens.size(), 2U) << "tokens do not depend on it";
}

TEST_F(CaptureFeedTest, WithoutPassesItIsARunWithoutPhases) {
  EXPECT_TRUE(finish(10ms).phases.empty());
  EXPECT_EQ(feed_->counts().contexts, 1U);
}

}  // namespace
}  // namespace enprof
