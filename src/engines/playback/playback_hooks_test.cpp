#include "engines/playback/playback_hooks.hpp"

#include "enprof/base/log.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/playback/playback.hpp"
#include "engines/playback/playback_script.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Four passes of one token each: two operations of q_proj in layer 0, one of down_proj in layer 1.
std::string script(const std::string& hooks) {
  return R"({"playback": 1, "model": {"name": "toy", "layers": 2}, "hooks": )" + hooks + R"(,
    "plans": [{"name": "token", "operations": [
      {"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 3000},
      {"layer": 0, "component": "q_proj", "op": "ADD", "us": 1000},
      {"layer": 1, "component": "down_proj", "op": "MUL_MAT", "us": 2000}]}],
    "steps": [{"phase": "decode", "token": "x", "repeat": 4,
               "sections": [{"name": "forward", "pass": "token"}]}]})";
}

/// Runs of scripts whose hooks fail, on a clock that only the script moves.
class PlaybackHooksTest : public ::testing::Test {
 protected:
  PlaybackHooksTest() {
    EXPECT_TRUE(set_log_file(dir_.path() / "log"));
    set_log_level(LogLevel::error);
  }
  ~PlaybackHooksTest() override { set_log_level(LogLevel::off); }

  /// The run is whole but for what hooks tell, whichever of them fail.
  ProfiledRun profile(const std::string& hooks, Depth depth = Depth::deep) {
    const auto path = dir_.write("toy.playback.json", script(hooks));
    auto model = engine_->load({.path = path});
    EXPECT_TRUE(model) << model.error().message;
    auto run = profiler_.run({.depth = depth, .max_output_tokens = 4});
    const auto result = (*model)->generate(run, {.prompt = "hi"});
    EXPECT_TRUE(result) << result.error().message;
    ProfiledRun profiled = run.finish();
    EXPECT_EQ(profiled.response, "xxxx");
    EXPECT_EQ(profiled.tokens.size(), 4U);
    for (const TokenFigure& token : profiled.tokens) {
      EXPECT_EQ(token.figure.duration, 6ms);
    }
    return profiled;
  }
  /// Operations by component and op, in the order of time.
  static std::vector<std::string> operations(const ProfiledRun& run) {
    std::vector<std::string> result;
    for (const OperationEvent& event : run.operation_table.events) {
      const OperationInfo& info = run.operation_table.operations[event.operation];
      result.push_back(info.component + (info.op.empty() ? "" : " " + info.op) + " " +
                       std::to_string(event.duration_ns / 1'000'000) + " ms");
    }
    return result;
  }
  static std::vector<std::string> warnings(const ProfiledRun& run) {
    std::vector<std::string> result;
    for (const Warning& warning : run.warnings) {
      if (warning.component == "engine" || warning.component == "profile") {
        result.push_back(warning.code + ": " + warning.message);
      }
    }
    return result;
  }
  static Nanoseconds untimed(const ProfiledRun& run) {
    const auto found = std::ranges::find(run.components, std::string{kUntimedComponent},
                                         &ComponentFigure::component);
    return found == run.components.end() ? 0ns : found->figure.duration;
  }
  [[nodiscard]] std::string log() const { return testing::read_file(dir_.path() / "log"); }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  testing::ManualSleeper sleeper_{clock_};
  std::unique_ptr<Engine> engine_ = make_playback(clock_, sleeper_);
  InferencePipelineProfiler profiler_{
      static_cast<PowerMonitor*>(nullptr), nullptr, {.clock = &clock_}};
};

TEST_F(PlaybackHooksTest, WhereNothingFailsEachDepthIsKnown) {
  const ProfiledRun deep = profile("{}");
  ASSERT_EQ(deep.operation_table.events.size(), 12U);
  EXPECT_EQ(operations(deep)[1], "q_proj ADD 1 ms");
  const ProfiledRun module = profile("{}", Depth::module);
  ASSERT_EQ(module.operation_table.events.size(), 8U);
  EXPECT_EQ(operations(module)[0], "q_proj 4 ms");
  EXPECT_THAT(profile("{}", Depth::minimal).components, IsEmpty());
  EXPECT_THAT(warnings(deep), IsEmpty());
  EXPECT_THAT(warnings(module), IsEmpty());
  EXPECT_EQ(log(), "");
}

TEST_F(PlaybackHooksTest, DeepHooksThatCannotBeAttachedLeaveComponents) {
  const ProfiledRun run = profile(R"({"deep_fail_at": 0})");
  ASSERT_EQ(run.operation_table.events.size(), 8U);
  EXPECT_EQ(operations(run)[0], "q_proj MUL_MAT 4 ms");
  EXPECT_EQ(run.layers.size(), 2U);
  EXPECT_THAT(warnings(run),
              ElementsAre("components_only: The script has no hooks for operations: components "
                          "were timed; operations are not distinguished"));
  EXPECT_THAT(log(), HasSubstr("Failed to register deep profiler hooks: The script has no hooks "
                               "for operations"));
}

TEST_F(PlaybackHooksTest, DeepHooksAreNoConcernOfAModuleRun) {
  const ProfiledRun run = profile(R"({"deep_fail_at": 0})", Depth::module);
  EXPECT_EQ(run.operation_table.events.size(), 8U);
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(PlaybackHooksTest, HooksThatCannotBeAttachedAtAllLeaveTokens) {
  for (const Depth depth : {Depth::module, Depth::deep}) {
    const ProfiledRun run = profile(R"({"deep_fail_at": 0, "module_fail_at": 0})", depth);
    EXPECT_THAT(run.layers, IsEmpty());
    EXPECT_THAT(run.components, IsEmpty());
    EXPECT_THAT(warnings(run),
                ElementsAre("hooks_failed: Layers and operations are not known: The script has no "
                            "hooks for components. Tokens are"));
  }
  EXPECT_THAT(log(), HasSubstr("Failed to register layer profiler hooks: The script has no hooks "
                               "for components"));
}

TEST_F(PlaybackHooksTest, DeepHooksThatFailInMidRunGiveWayToComponents) {
  const ProfiledRun run = profile(R"({"deep_fail_at": 2})");
  EXPECT_THAT(operations(run),
              ElementsAre("q_proj MUL_MAT 3 ms", "q_proj ADD 1 ms", "down_proj MUL_MAT 2 ms",
                          "q_proj MUL_MAT 4 ms", "down_proj MUL_MAT 2 ms",  // of the third pass
                          "q_proj MUL_MAT 4 ms", "down_proj MUL_MAT 2 ms"));
  EXPECT_EQ(untimed(run), 6ms);  // the second
  EXPECT_THAT(warnings(run),
              ElementsAre("components_only: Pass 2 of the script reported 2 of 3 operations. From "
                          "there on components were timed; operations are not distinguished",
                          HasSubstr("mismatched_passes: 1 of 4 passes")));
}

TEST_F(PlaybackHooksTest, EachDepthMayFailInMidRun) {
  const ProfiledRun run = profile(R"({"deep_fail_at": 1, "module_fail_at": 3})");
  EXPECT_THAT(operations(run), ElementsAre("q_proj MUL_MAT 4 ms", "down_proj MUL_MAT 2 ms"));
  EXPECT_EQ(untimed(run), 12ms);  // the first and the third; the fourth is no pass any more
  EXPECT_THAT(warnings(run),
              ElementsAre(HasSubstr("components_only: Pass 1"),
                          "tokens_only: Pass 3 of the script reported 1 of 2 components. From "
                          "there on only tokens were timed",
                          HasSubstr("mismatched_passes: 2 of 3 passes")));
}

TEST_F(PlaybackHooksTest, AMidRunFailureWithoutCoarserHooksLeavesTokens) {
  const ProfiledRun run = profile(R"({"deep_fail_at": 3, "module_fail_at": 0})");
  EXPECT_EQ(run.operation_table.events.size(), 6U);
  EXPECT_THAT(warnings(run), Contains(AllOf(HasSubstr("tokens_only: Pass 3"),
                                            HasSubstr("From there on only tokens"))));
  EXPECT_THAT(log(), HasSubstr("Failed to register layer profiler hooks"));
}

TEST_F(PlaybackHooksTest, AModuleRunWhoseHooksFailInMidRunGoesOnWithTokens) {
  const ProfiledRun run = profile(R"({"module_fail_at": 2})", Depth::module);
  EXPECT_THAT(operations(run), ElementsAre("q_proj 4 ms", "down_proj 2 ms"));
  EXPECT_THAT(warnings(run), ElementsAre(HasSubstr("tokens_only: Pass 2"),
                                         HasSubstr("mismatched_passes: 1 of 2 passes")));
}

TEST_F(PlaybackHooksTest, HooksThatHoldOnAreLoggedAndChangeNothing) {
  const ProfiledRun run = profile(R"({"detach_fails": true})");
  EXPECT_EQ(run.status, RunStatus::completed);
  EXPECT_EQ(run.operation_table.events.size(), 12U);
  EXPECT_THAT(warnings(run), IsEmpty());
  EXPECT_THAT(log(), HasSubstr("Failed to detach layer profiler hooks: the script has its hooks "
                               "hold on"));
}

TEST_F(PlaybackHooksTest, AScriptThatFailsDetachesItsHooks) {
  const auto path = dir_.write("toy.playback.json", R"({"playback": 1,
    "hooks": {"detach_fails": true}, "steps": [{"phase": "decode", "fail": "no power"}]})");
  auto model = engine_->load({.path = path});
  ASSERT_TRUE(model);
  auto run = profiler_.run({.depth = Depth::module, .max_output_tokens = 4});
  EXPECT_FALSE((*model)->generate(run, {.prompt = "hi"}));
  EXPECT_THAT(log(), HasSubstr("Failed to detach layer profiler hooks"));
}

TEST(PlaybackHooksOfAScript, AreReadAndMistakesAreNamed) {
  const auto parse = [](const std::string& hooks) {
    std::istringstream in(script(hooks));
    return parse_playback(in, "s.playback.json");
  };
  const auto good = parse(R"({"deep_fail_at": 0, "module_fail_at": 7, "detach_fails": true})");
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->hook_failures.at_pass[static_cast<std::size_t>(HookDepth::operations)], 0U);
  EXPECT_EQ(good->hook_failures.at_pass[static_cast<std::size_t>(HookDepth::components)], 7U);
  EXPECT_TRUE(good->hook_failures.on_detach);
  for (const auto& [hooks, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "hooks is [], not an object"},
           {R"({"fail": "deep"})", R"(hooks has "fail", which is not known there)"},
           {R"({"deep_fail_at": -1})", "hooks.deep_fail_at is -1, not a whole number"},
           {R"({"module_fail_at": "soon"})", "hooks.module_fail_at is \"soon\", not a whole"},
           {R"({"detach_fails": 1})", "hooks.detach_fails is 1, not true or false"}}) {
    const auto bad = parse(hooks);
    ASSERT_FALSE(bad) << hooks;
    EXPECT_THAT(bad.error().message, HasSubstr(complaint));
  }
}

}  // namespace
}  // namespace enprof
