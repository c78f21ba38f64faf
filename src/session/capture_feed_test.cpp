#include "session/capture_feed.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

constexpr Instant kBegin{1h};
constexpr Instant kEnd{2h};
constexpr pid_t kProcess = 7;

/// A plan for graphs that get two stamps.
std::optional<OperationPlan> two_operations(const ToldGraph& graph, bool, std::size_t stamps) {
  return stamps == 2
             ? std::optional{OperationPlan{{{.layer = 0, .component = graph.tensors[0].name},
                                            {.layer = 1, .component = "b"}}}}
             : std::nullopt;
}

class CaptureFeedTest : public ::testing::Test {
 protected:
  CaptureFeedTest() : sink_(begin_context(kProcess)) {}

  std::unique_ptr<ToldSink> begin_context(pid_t process) {
    auto sink = feed_.make_sink(process);
    sink->on_context({.number = 1, .at = kBegin + 5ms, .n_ctx = 1024, .n_seq_max = 2, .layers = 2});
    sink->on_graph(1, graph(1, "a"));
    return sink;
  }
  static ToldGraph graph(std::uint32_t number, const std::string& name) {
    ToldGraph told{.number = number, .nodes = 2, .tensors = std::vector<ToldTensor>(2)};
    told.tensors[0].name = name;
    return told;
  }
  static ToldSegment segment(std::uint32_t graph, Nanoseconds at) {
    return {.graph = graph,
            .nodes = 2,
            .begin = kBegin + at,
            .start = kBegin + at + 1ms,
            .ends = {kBegin + at + 2ms, kBegin + at + 3ms}};
  }
  static ToldPass pass(Nanoseconds from, Nanoseconds to, std::uint32_t tokens = 1) {
    return {.number = 1,
            .begin = kBegin + from,
            .end = kBegin + to,
            .tokens = tokens,
            .outputs = 1,
            .sequences = {{.id = 3, .first_position = 0, .tokens = tokens, .outputs = 1}},
            .segments = {segment(1, from)}};
  }
  [[nodiscard]] std::shared_ptr<const CaptureRecording> finish() {
    auto recording = feed_.finish(kBegin, kEnd);
    EXPECT_NE(recording, nullptr);
    return recording;
  }

  CaptureFeed feed_{two_operations};
  std::unique_ptr<ToldSink> sink_;
};

TEST_F(CaptureFeedTest, APassWithItsOperationsAndSequences) {
  sink_->on_pass(1, pass(10ms, 20ms, 4));
  const auto recording = finish();
  EXPECT_EQ(recording->begin, kBegin);
  EXPECT_EQ(recording->end, kEnd);
  ASSERT_EQ(recording->passes.passes.size(), 1U);
  const PassRecord& told = recording->passes.passes[0];
  EXPECT_EQ(told.begin, kBegin + 10ms);
  EXPECT_EQ(told.start, kBegin + 11ms);
  EXPECT_EQ(told.end, kBegin + 20ms);
  EXPECT_EQ(told.state, PassState::complete);
  EXPECT_EQ(recording->passes.view().stamps_of(told).size(), 2U);
  EXPECT_EQ(recording->passes.plans.at(told.plan)->operations[0].component, "a");
  EXPECT_EQ(recording->passes.view().sequences_of(told)[0].tokens, 4U);
  ASSERT_EQ(recording->contexts.size(), 1U);
  EXPECT_EQ(recording->contexts[0].positions, 512);
  EXPECT_EQ(recording->context_of, (std::vector<std::uint32_t>{0}));
}

TEST_F(CaptureFeedTest, APassOfSeveralGraphsHasOnePlan) {
  sink_->on_graph(1, graph(2, "c"));
  for (const Nanoseconds at : {10ms, 40ms}) {
    ToldPass long_prompt = pass(at, at + 20ms, 900);
    long_prompt.segments.push_back(segment(2, at + 5ms));
    sink_->on_pass(1, long_prompt);
  }
  const auto recording = finish();
  const PassRecord& told = recording->passes.passes[1];
  EXPECT_EQ(recording->passes.passes[0].plan, told.plan);
  const auto& operations = recording->passes.plans.at(told.plan)->operations;
  ASSERT_EQ(operations.size(), 5U);
  EXPECT_EQ(operations[0].component, "a");
  EXPECT_EQ(operations[2].component, kBetweenGraphs);
  EXPECT_EQ(operations[3].component, "c");
  EXPECT_EQ(recording->passes.view().stamps_of(told).size(), 5U);
}

TEST_F(CaptureFeedTest, PassesOfSeveralContextsAreInOrderOfTheirBegins) {
  const auto other = begin_context(8);
  sink_->on_pass(1, pass(10ms, 50ms));
  other->on_pass(1, pass(20ms, 40ms));
  sink_->on_pass(1, pass(51ms, 60ms));
  other->on_pass(1, pass(41ms, 45ms));
  feed_.end_process(8, kBegin + 100ms);
  const auto recording = finish();
  EXPECT_EQ(recording->context_of, (std::vector<std::uint32_t>{0, 1, 1, 0}));
  EXPECT_TRUE(std::ranges::is_sorted(recording->passes.passes, {}, &PassRecord::begin));
  EXPECT_FALSE(recording->models.at(0).freed);
  EXPECT_EQ(recording->models.at(1).freed, kBegin + 100ms);
}

TEST_F(CaptureFeedTest, TheSameGraphInTwoContextsIsOnePlan) {
  const auto other = begin_context(8);
  sink_->on_pass(1, pass(10ms, 20ms));
  other->on_pass(1, pass(21ms, 30ms));
  EXPECT_EQ(finish()->passes.plans.size(), 1U);
}

TEST_F(CaptureFeedTest, StampsThatFitNoPlanLeaveThePass) {
  ToldPass odd = pass(10ms, 20ms);
  odd.segments[0].ends.pop_back();
  sink_->on_pass(1, odd);
  ToldPass unknown = pass(21ms, 30ms);
  unknown.segments[0].graph = 9;
  sink_->on_pass(1, unknown);
  ToldPass untimed = pass(31ms, 40ms);
  untimed.segments.clear();
  sink_->on_pass(1, untimed);
  const auto recording = finish();
  ASSERT_EQ(recording->passes.passes.size(), 3U);
  for (const PassRecord& told : recording->passes.passes) {
    EXPECT_EQ(told.state, PassState::discarded);
    EXPECT_EQ(told.sequence_count, 1U) << "tokens do not depend on it";
  }
  EXPECT_EQ(feed_.counts().unplanned, 2U);
  EXPECT_EQ(feed_.counts().untimed, 1U);
}

TEST_F(CaptureFeedTest, OperationsBeyondTheirPassAreNotBelieved) {
  ToldPass liar = pass(10ms, 20ms);
  liar.segments[0].ends[1] = kBegin + 30ms;
  sink_->on_pass(1, liar);
  EXPECT_EQ(finish()->passes.passes[0].state, PassState::discarded);
}

TEST_F(CaptureFeedTest, AFailedPassHasNoTokens) {
  ToldPass failed = pass(10ms, 20ms);
  failed.result = 1;
  sink_->on_pass(1, failed);
  EXPECT_EQ(finish()->passes.passes[0].sequence_count, 0U);
  EXPECT_EQ(feed_.counts().failed, 1U);
}

TEST_F(CaptureFeedTest, PositionsThatAreNotToldGoOn) {
  for (const Nanoseconds at : {10ms, 20ms}) {
    ToldPass told = pass(at, at + 5ms, 3);
    told.sequences[0].first_position = -1;
    sink_->on_pass(1, told);
  }
  const auto recording = finish();
  EXPECT_EQ(recording->passes.sequences[0].first_position, 0);
  EXPECT_EQ(recording->passes.sequences[1].first_position, 3);
}

TEST_F(CaptureFeedTest, PassesOutsideTheProgramsLifeAreLost) {
  sink_->on_pass(1, pass(-10ms, 20ms));
  sink_->on_pass(1, pass(30ms, 40ms));
  const auto recording = finish();
  EXPECT_EQ(recording->passes.passes.size(), 1U);
  EXPECT_EQ(recording->lost_passes, 1U);
}

TEST_F(CaptureFeedTest, AModelIsWhatLlamaCppSaysOfIt) {
  sink_->on_text(1, ToldText::architecture, "qw");
  sink_->on_text(1, ToldText::architecture, "en2");
  sink_->on_text(1, ToldText::description, "qwen2 7B Q4_K - Medium");
  sink_->on_text(1, ToldText::model_path, "/models/small.gguf");
  sink_->on_model(1, kBegin + 1ms, kBegin + 4ms);
  sink_->on_pass(1, pass(10ms, 20ms));
  const auto model = feed_.model();
  const auto recording = finish();
  ASSERT_TRUE(model);
  EXPECT_EQ(*model, recording->models.at(0).facts);
  EXPECT_EQ(model->architecture, "qwen2");
  EXPECT_EQ(model->quantization, "Q4_K - Medium");
  EXPECT_EQ(model->name, "small");
  EXPECT_EQ(model->path, "/models/small.gguf");
  EXPECT_EQ(model->layers, 2);
  EXPECT_EQ(recording->models[0].loaded, kBegin + 4ms);
  ASSERT_EQ(recording->work.size(), 1U);
  EXPECT_EQ(recording->work[0].kind, CapturedWorkKind::loading);
}

TEST_F(CaptureFeedTest, TwoContextsOfOneModel) {
  sink_->on_model(1, kBegin + 1ms, kBegin + 4ms);
  for (int context = 0; context < 2; ++context) {
    const auto other = begin_context(kProcess);
    other->on_model(1, kBegin + 1ms, kBegin + 4ms);
    other->on_text(1, ToldText::model_path, "/models/small.gguf");
    other->on_pass(1, pass(10ms, 20ms));
  }
  const auto recording = finish();
  EXPECT_EQ(recording->models.size(), 1U);
  EXPECT_EQ(recording->work.size(), 1U) << "it was loaded once";
  EXPECT_EQ(recording->contexts.at(2).model, 0U);
  EXPECT_EQ(recording->models[0].facts.name, "small");
}

TEST_F(CaptureFeedTest, ChangesOfCachesAreInOrderOfTime) {
  const auto other = begin_context(8);
  sink_->on_pass(1, pass(10ms, 20ms));
  sink_->on_memory(1, {.what = ToldMemory::What::remove, .at = kBegin + 25ms, .sequence = 3});
  other->on_memory(1, {.what = ToldMemory::What::clear, .at = kBegin + 5ms});
  const auto recording = finish();
  ASSERT_EQ(recording->changes.size(), 2U);
  EXPECT_EQ(recording->changes[0].context, 1U);
  EXPECT_EQ(recording->changes[0].change.what, ToldMemory::What::clear);
  EXPECT_EQ(recording->changes[1].context, 0U);
  EXPECT_EQ(recording->changes[1].change.sequence, 3);
}

TEST_F(CaptureFeedTest, WhoFollowsLiveGetsEachPassAtOnce) {
  LiveRequests live;
  CaptureFeed feed(nullptr, &live);
  const auto sink = feed.make_sink(kProcess);
  sink->on_context({.number = 1, .at = kBegin, .n_ctx = 1024});
  sink->on_pass(1, pass(10ms, 20ms, 4));
  EXPECT_EQ(live.so_far(kBegin + 20ms).requests, 1U);
  ToldPass failed = pass(20ms, 30ms);
  failed.result = 1;
  sink->on_pass(1, failed);
  EXPECT_EQ(live.so_far(kBegin + 30ms).output_tokens, 1U) << "nothing of it was kept";
}

TEST_F(CaptureFeedTest, WithoutPassesThereIsNoCapture) {
  EXPECT_EQ(feed_.finish(kBegin, kEnd), nullptr);
}

TEST_F(CaptureFeedTest, ARingWhoseBeginWasDroppedHasAContextOfItsOwn) {
  const auto late = feed_.make_sink(9);
  late->on_pass(4, pass(10ms, 20ms));
  EXPECT_EQ(finish()->context_of, (std::vector<std::uint32_t>{1}));
}

}  // namespace
}  // namespace enprof
