#include "profile/layer_profiler.hpp"

#include "support/fake_hooks.hpp"

#include <gmock/gmock.h>

#include <optional>
#include <stdexcept>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Error kGpu{ErrorCode::unsupported, "A GPU computes the model", "Pass -ngl 0."};
const Error kMiscounted{ErrorCode::internal, "There were 3 reports for 4 operations",
                        "Leave out BLAS."};

class LayerProfilerTest : public testing::HooksTest {
 protected:
  RunScope run_ = begin(Depth::module);
};

TEST_F(LayerProfilerTest, AttachesToComponentsAndDetachesAtItsEnd) {
  {
    LayerProfiler profiler(run_, hooks_);
    profiler.attach();
    EXPECT_EQ(profiler.attached(), HookDepth::components);
  }
  EXPECT_THAT(hooks_.calls, ElementsAre("attach components", "detach"));
  EXPECT_THAT(warnings(run_), IsEmpty());
  EXPECT_EQ(log(), "");
}

TEST_F(LayerProfilerTest, OperationsForFreeAreBetterThanComponentsAtAPrice) {
  hooks_.components = testing::FakeHooks::slow;
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_EQ(profiler.attached(), HookDepth::operations);
  EXPECT_THAT(warnings(run_), IsEmpty());
}

TEST_F(LayerProfilerTest, HooksThatSlowTheInferenceDownAreLeftToDeepRuns) {
  hooks_.components = testing::FakeHooks::slow;
  hooks_.operations = [] { return std::unexpected(kGpu); };
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_EQ(profiler.attached(), std::nullopt);
  EXPECT_THAT(hooks_.calls, IsEmpty());
  EXPECT_THAT(warnings(run_),
              ElementsAre("tokens_only: A GPU computes the model, so only tokens were timed (Pass "
                          "--depth deep to time its components, at a price; or --depth minimal.)"));
}

TEST_F(LayerProfilerTest, ThatAllHooksSlowTheInferenceDownIsAReason) {
  hooks_.components = hooks_.operations = testing::FakeHooks::slow;
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_THAT(hooks_.calls, IsEmpty());
  EXPECT_THAT(warnings(run_), ElementsAre(HasSubstr("tokens_only: Hooks would slow the inference "
                                                    "down, so only tokens were timed (Pass")));
}

TEST_F(LayerProfilerTest, WithoutHooksTheEngineSaysWhatToDo) {
  hooks_.components = hooks_.operations = [] { return std::unexpected(kGpu); };
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_THAT(warnings(run_), ElementsAre("tokens_only: A GPU computes the model, so only tokens "
                                          "were timed (Pass -ngl 0.)"));
}

TEST_F(LayerProfilerTest, HooksThatFailAreLoggedAndTheRunGoesOnWithTokens) {
  hooks_.on_components = [] { return fail(ErrorCode::unavailable, "no callback", "Use the CPU."); };
  {
    LayerProfiler profiler(run_, hooks_);
    profiler.attach();
    EXPECT_EQ(profiler.attached(), std::nullopt);
    const TokenScope token = run_.token(Phase::decode);
  }
  EXPECT_THAT(hooks_.calls, ElementsAre("attach components"));  // and nothing to detach
  EXPECT_THAT(log(), HasSubstr("Failed to register layer profiler hooks: no callback"));
  EXPECT_THAT(warnings(run_), ElementsAre("hooks_failed: Layers and operations are not known: no "
                                          "callback. Tokens are (Use the CPU.)"));
  EXPECT_EQ(run_.finish().tokens.size(), 1U);
}

TEST_F(LayerProfilerTest, HooksThatThrowHaveFailed) {
  hooks_.on_components = []() -> Result<void> { throw std::runtime_error("no module q_proj"); };
  LayerProfiler first(run_, hooks_);
  first.attach();
  hooks_.on_components = []() -> Result<void> { throw 7; };
  LayerProfiler second(run_, hooks_);
  second.attach();
  EXPECT_EQ(second.attached(), std::nullopt);
  EXPECT_THAT(log(), HasSubstr("Failed to register layer profiler hooks: no module q_proj"));
  EXPECT_THAT(warnings(run_), ElementsAre(HasSubstr("no module q_proj"),
                                          HasSubstr("an exception of unknown type")));
}

TEST_F(LayerProfilerTest, AnOfferThatThrowsIsNone) {
  hooks_.components = hooks_.operations = []() -> Result<HookOffer> {
    throw std::runtime_error("The interpreter is gone");
  };
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_THAT(warnings(run_),
              ElementsAre("tokens_only: The interpreter is gone, so only tokens were timed ()"));
}

TEST_F(LayerProfilerTest, InMidRunComponentsTakeThePlaceOfOperationsAtAnyPrice) {
  hooks_.components = testing::FakeHooks::slow;
  {
    LayerProfiler profiler(run_, hooks_);
    profiler.attach();
    profiler.fall_back(kMiscounted);
    EXPECT_EQ(profiler.attached(), HookDepth::components);
  }
  EXPECT_THAT(hooks_.calls,
              ElementsAre("attach operations", "detach", "attach components", "detach"));
  EXPECT_THAT(warnings(run_),
              ElementsAre("components_only: There were 3 reports for 4 operations. From there on "
                          "the engine was stopped after each component to time it, which slows the "
                          "inference down; operations are not distinguished (Leave out BLAS.)"));
}

TEST_F(LayerProfilerTest, InMidRunTokensTakeThePlaceOfComponents) {
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  profiler.fall_back(kMiscounted);
  EXPECT_EQ(profiler.attached(), std::nullopt);
  EXPECT_THAT(hooks_.calls, ElementsAre("attach components", "detach"));
  EXPECT_THAT(warnings(run_),
              ElementsAre("tokens_only: There were 3 reports for 4 operations. From there on only "
                          "tokens were timed (Leave out BLAS.)"));
}

TEST_F(LayerProfilerTest, InMidRunComponentsThatFailTooLeaveTokens) {
  hooks_.components = testing::FakeHooks::slow;
  hooks_.on_components = [] { return fail(ErrorCode::unavailable, "no callback"); };
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  profiler.fall_back(kMiscounted);
  EXPECT_EQ(profiler.attached(), std::nullopt);
  EXPECT_THAT(log(), HasSubstr("Failed to register layer profiler hooks: no callback"));
  EXPECT_THAT(warnings(run_), ElementsAre(HasSubstr("tokens_only: There were 3 reports")));
}

TEST_F(LayerProfilerTest, InMidRunWhatIsNoLongerOfferedIsNotTried) {
  hooks_.components = testing::FakeHooks::slow;
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  hooks_.components = [] { return std::unexpected(kGpu); };
  profiler.fall_back(kMiscounted);
  EXPECT_THAT(hooks_.calls, ElementsAre("attach operations", "detach"));
  EXPECT_THAT(warnings(run_), ElementsAre(HasSubstr("tokens_only: There were 3 reports")));
}

TEST_F(LayerProfilerTest, WhereNothingIsAttachedNothingCanFail) {
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  profiler.fall_back(kMiscounted);
  profiler.fall_back(kMiscounted);
  EXPECT_THAT(warnings(run_), ElementsAre(HasSubstr("tokens_only")));
}

TEST_F(LayerProfilerTest, ADetachThatFailsIsLoggedAndNotRepeated) {
  hooks_.on_detach = []() -> Result<void> { throw std::runtime_error("the module is gone"); };
  {
    LayerProfiler profiler(run_, hooks_);
    profiler.attach();
    profiler.detach();
    EXPECT_EQ(profiler.attached(), std::nullopt);
  }
  EXPECT_THAT(hooks_.calls, ElementsAre("attach components", "detach"));
  EXPECT_THAT(log(), HasSubstr("Failed to detach layer profiler hooks: the module is gone"));
  hooks_.on_detach = [] { return fail(ErrorCode::unavailable, "it is busy"); };
  {
    LayerProfiler profiler(run_, hooks_);
    profiler.attach();
  }
  EXPECT_THAT(log(), HasSubstr("Failed to detach layer profiler hooks: it is busy"));
  EXPECT_EQ(run_.finish().status, RunStatus::completed);
}

TEST_F(LayerProfilerTest, ADetachThatFailsInMidRunDoesNotKeepCoarserHooksAway) {
  hooks_.components = testing::FakeHooks::slow;
  hooks_.on_detach = []() -> Result<void> { throw std::runtime_error("the module is gone"); };
  LayerProfiler profiler(run_, hooks_);
  profiler.attach();
  profiler.fall_back(kMiscounted);
  EXPECT_EQ(profiler.attached(), HookDepth::components);
}

TEST_F(LayerProfilerTest, AnExceptionDetachesOnItsWay) {
  try {
    LayerProfiler profiler(run_, hooks_);
    profiler.attach();
    throw std::runtime_error("out of memory");
  } catch (const std::runtime_error&) {
    EXPECT_THAT(hooks_.calls, ElementsAre("attach components", "detach"));
  }
  EXPECT_THAT(log(), Not(HasSubstr("Failed")));
}

}  // namespace
}  // namespace enprof
