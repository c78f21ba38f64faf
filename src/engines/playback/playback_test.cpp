#include "engines/playback/playback.hpp"

#include "enprof/power/power_monitor.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "power/replay/replay_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kScript = R"({
  "playback": 1,
  "model": {"name": "toy", "architecture": "toy", "layers": 2, "context_trained": 64},
  "prompt_tokens": 4,
  "plans": [
    {"name": "prompt", "operations": [
      {"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 30000},
      {"layer": 1, "component": "down_proj", "op": "MUL_MAT", "us": 10000}]},
    {"name": "token", "operations": [
      {"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 3000},
      {"layer": 1, "component": "down_proj", "op": "MUL_MAT", "us": 1000}]}],
  "steps": [
    {"phase": "pre_inference", "sections": [{"name": "tokenization", "us": 2000}]},
    {"phase": "prefill", "sections": [{"name": "forward", "pass": "prompt"}]},
    {"phase": "decode", "token": "x", "repeat": 10,
     "sections": [{"name": "forward", "pass": "token"}, {"name": "sampling", "us": 1000}]},
    {"phase": "post_inference", "sections": [{"name": "cleanup", "us": 3000}]}]})";

/// Uses a clock that only the script advances: whole runs with power take no time and are exact.
class PlaybackTest : public ::testing::Test {
 protected:
  std::unique_ptr<LoadedModel> load(const std::string& script) {
    const auto path = dir_.write("toy.playback.json", script);
    auto model = engine_->load({.path = path});
    EXPECT_TRUE(model) << model.error().message;
    return *std::move(model);
  }

  ProfiledRun profile(LoadedModel& model, const GenerateOptions& options,
                      Depth depth = Depth::deep) {
    auto run = profiler_.run({.prompt = options.prompt,
                              .depth = depth,
                              .max_output_tokens = model.most_output_tokens(options)});
    result_ = model.generate(run, options);
    return run.finish(result_ ? RunStatus::completed : RunStatus::failed);
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  testing::PassingSleeper sleeper_{clock_};
  std::unique_ptr<Engine> engine_ = make_playback(clock_, sleeper_);
  PowerMonitor monitor_ = [this] {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(*ReplaySource::open(
        dir_.write("power.jsonl",
                   R"({"domain":"cpu","begin_ms":0,"end_ms":100000,"energy_mj":2000000})"),
        clock_));  // 20 W
    return PowerMonitor(std::move(sources), clock_);
  }();
  InferencePipelineProfiler profiler_{&monitor_, nullptr, {.clock = &clock_}};
  Result<GenerateResult> result_;
};

TEST_F(PlaybackTest, PlaysAScriptExactly) {
  const auto model = load(kScript);
  const ProfiledRun run = profile(*model, {.prompt = "hi", .max_tokens = 100});
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->output_tokens, 10U);
  EXPECT_EQ(result_->response, "xxxxxxxxxx");
  EXPECT_EQ(run.finish_reason, "end_of_generation");
  EXPECT_EQ(run.model.name, "toy");
  EXPECT_EQ(run.totals.prompt_tokens, 4U);

  std::vector<Nanoseconds> phases;
  std::ranges::transform(run.phases, std::back_inserter(phases),
                         [](const PhaseFigure& phase) { return phase.figure.duration; });
  EXPECT_THAT(phases, ElementsAre(2ms, 40ms, 50ms, 3ms));
  EXPECT_EQ(run.totals.figure.duration, 95ms);
  ASSERT_TRUE(run.totals.figure.total);
  EXPECT_NEAR(run.totals.figure.total->value(), 20.0 * 0.095, 1e-9);
  ASSERT_EQ(run.tokens.size(), 10U);
  for (const TokenFigure& token : run.tokens) {
    EXPECT_EQ(token.figure.duration, 5ms);
    ASSERT_TRUE(token.figure.total);
    EXPECT_NEAR(token.figure.total->value(), 20.0 * 0.005, 1e-9);
  }
}

TEST_F(PlaybackTest, StampsOperationsWhereTheScriptHasThem) {
  const auto model = load(kScript);
  const ProfiledRun run = profile(*model, {.prompt = "hi", .max_tokens = 2});
  const auto of = [&](Phase phase, std::string_view component) {
    const auto found = std::ranges::find_if(run.components, [&](const ComponentFigure& figure) {
      return figure.phase == phase && figure.component == component;
    });
    return found == run.components.end() ? Nanoseconds{-1} : found->figure.duration;
  };
  EXPECT_EQ(of(Phase::prefill, "q_proj"), 30ms);
  EXPECT_EQ(of(Phase::prefill, "down_proj"), 10ms);
  EXPECT_EQ(of(Phase::decode, "q_proj"), 6ms);
  EXPECT_EQ(of(Phase::decode, "down_proj"), 2ms);
}

TEST_F(PlaybackTest, EndsWhereEnoughTokensAreOut) {
  const auto model = load(kScript);
  EXPECT_EQ(model->most_output_tokens({.max_tokens = 3}), 3U);
  EXPECT_EQ(model->most_output_tokens({.max_tokens = 300}), 10U);
  const ProfiledRun run = profile(*model, {.prompt = "hi", .max_tokens = 3}, Depth::minimal);
  EXPECT_EQ(run.tokens.size(), 3U);
  EXPECT_EQ(run.finish_reason, "length");
  EXPECT_EQ(run.phases.back().phase, Phase::post_inference);
  EXPECT_TRUE(run.components.empty());
}

TEST_F(PlaybackTest, StopsSoonWhereAStopIsRequested) {
  const auto model = load(kScript);
  std::stop_source source;
  const ProfiledRun run =
      profile(*model, {.prompt = "hi",
                       .stop = source.get_token(),
                       .on_token = [&](std::size_t index, std::string_view /*text*/) {
                         if (index == 4) {
                           source.request_stop();
                         }
                       }});
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->finish_reason, "cancelled");
  EXPECT_LE(run.tokens.size(), 6U);
}

TEST_F(PlaybackTest, FailsWhereItsScriptDoes) {
  const auto model = load(R"({"playback": 1, "steps": [
    {"phase": "decode", "token": "a", "sections": [{"name": "forward", "us": 1000}]},
    {"phase": "decode", "fail": "the GPU fell off the bus"},
    {"phase": "decode", "token": "b"}]})");
  const ProfiledRun run = profile(*model, {.prompt = "hi"});
  ASSERT_FALSE(result_);
  EXPECT_EQ(result_.error().message, "the GPU fell off the bus");
  EXPECT_EQ(run.status, RunStatus::failed);
  EXPECT_EQ(run.response, "a");
  EXPECT_EQ(run.tokens.size(), 1U);
}

TEST_F(PlaybackTest, SaysWhatIsWrongWithAFile) {
  const auto path = dir_.write("bad.playback.json", "{");
  const auto model = engine_->load(
      {.path = "/models/bad.playback.json", .open_as = [&](const auto& /*name*/) { return path; }});
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("/models/bad.playback.json"));
  EXPECT_EQ(model.error().message.find(path.string()), std::string::npos);
}

TEST_F(PlaybackTest, KnowsAContextWithoutLoading) {
  const auto header = engine_->read_header(dir_.write("a.playback.json", kScript));
  ASSERT_TRUE(header);
  EXPECT_EQ((*header)->trained_context, 64);
  EXPECT_FALSE(engine_->read_header("/nowhere.playback.json"));
}

}  // namespace
}  // namespace enprof
