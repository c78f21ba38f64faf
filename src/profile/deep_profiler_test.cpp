#include "profile/deep_profiler.hpp"

#include "support/fake_hooks.hpp"

#include <gmock/gmock.h>

#include <optional>
#include <stdexcept>

namespace enprof {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Error kGpu{ErrorCode::unsupported, "A GPU computes the model", "Pass -ngl 0."};
const Error kMiscounted{ErrorCode::internal, "There were 3 reports for 4 operations", ""};

class DeepProfilerTest : public testing::HooksTest {
 protected:
  RunScope run_ = begin(Depth::deep);
};

TEST_F(DeepProfilerTest, AttachesToOperationsAndValues) {
  hooks_.operations = testing::FakeHooks::slow;  // that is what a deep run is for
  {
    DeepProfiler profiler(run_, hooks_);
    profiler.attach();
    EXPECT_EQ(profiler.attached(), HookDepth::operations);
  }
  EXPECT_THAT(hooks_.calls, ElementsAre("attach operations and values", "detach"));
  EXPECT_THAT(warnings(run_), IsEmpty());
}

TEST_F(DeepProfilerTest, HooksThatFailLeaveTheDepthBelow) {
  hooks_.on_operations = []() -> Result<void> { throw std::runtime_error("No callback"); };
  DeepProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_EQ(profiler.attached(), HookDepth::components);
  EXPECT_THAT(hooks_.calls,
              ElementsAre("attach operations and values", "attach components and values"));
  EXPECT_THAT(log(), HasSubstr("Failed to register deep profiler hooks: No callback"));
  EXPECT_THAT(warnings(run_), ElementsAre("components_only: No callback: components were timed; "
                                          "operations are not distinguished ()"));
}

TEST_F(DeepProfilerTest, WhatIsNotOfferedHasNotFailed) {
  hooks_.components = testing::FakeHooks::slow;
  hooks_.operations = [] { return std::unexpected(kGpu); };
  DeepProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_EQ(profiler.attached(), HookDepth::components);
  EXPECT_EQ(log(), "");
  EXPECT_THAT(warnings(run_),
              ElementsAre("components_only: A GPU computes the model: the engine was stopped after "
                          "each component to time it, which slows the inference down; operations "
                          "are not distinguished (Pass -ngl 0.)"));
}

TEST_F(DeepProfilerTest, WhereEveryDepthFailsTheRunGoesOnWithTokens) {
  hooks_.on_operations = [] { return fail(ErrorCode::unavailable, "no operations"); };
  hooks_.on_components = [] { return fail(ErrorCode::unavailable, "no components"); };
  DeepProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_EQ(profiler.attached(), std::nullopt);
  EXPECT_THAT(log(), AllOf(HasSubstr("Failed to register deep profiler hooks: no operations"),
                           HasSubstr("Failed to register layer profiler hooks: no components")));
  EXPECT_THAT(warnings(run_), ElementsAre("hooks_failed: Layers and operations are not known: no "
                                          "components. Tokens are ()"));
}

TEST_F(DeepProfilerTest, WhereNothingIsOfferedTheRunGoesOnWithTokens) {
  hooks_.components = hooks_.operations = [] { return std::unexpected(kGpu); };
  DeepProfiler profiler(run_, hooks_);
  profiler.attach();
  EXPECT_THAT(hooks_.calls, IsEmpty());
  EXPECT_THAT(warnings(run_), ElementsAre("tokens_only: A GPU computes the model, so only tokens "
                                          "were timed (Pass -ngl 0.)"));
}

TEST_F(DeepProfilerTest, InMidRunItGoesDownStepByStepAndValuesStay) {
  {
    DeepProfiler profiler(run_, hooks_);
    profiler.attach();
    profiler.fall_back(kMiscounted);
    EXPECT_EQ(profiler.attached(), HookDepth::components);
    profiler.fall_back(kMiscounted);
    EXPECT_EQ(profiler.attached(), std::nullopt);
  }
  EXPECT_THAT(hooks_.calls, ElementsAre("attach operations and values", "detach",
                                        "attach components and values", "detach"));
  EXPECT_THAT(warnings(run_),
              ElementsAre("components_only: There were 3 reports for 4 operations. From there on "
                          "components were timed; operations are not distinguished ()",
                          "tokens_only: There were 3 reports for 4 operations. From there on only "
                          "tokens were timed ()"));
}

class AttachProfilerTest : public testing::HooksTest {};

TEST_F(AttachProfilerTest, AttachesWhatTheDepthAsksFor) {
  {
    RunScope run = begin(Depth::minimal);
    EXPECT_EQ(attach_profiler(run, hooks_), nullptr);
    EXPECT_THAT(warnings(run), IsEmpty());
  }
  EXPECT_THAT(hooks_.calls, IsEmpty());
  {
    RunScope run = begin(Depth::module);
    EXPECT_EQ(attach_profiler(run, hooks_)->attached(), HookDepth::components);
  }
  {
    RunScope run = begin(Depth::deep);
    EXPECT_EQ(attach_profiler(run, hooks_)->attached(), HookDepth::operations);
  }
  EXPECT_THAT(hooks_.calls,
              ElementsAre("attach components", "detach", "attach operations and values", "detach"));
  EXPECT_THAT(log(), Not(HasSubstr("Failed")));
}

}  // namespace
}  // namespace enprof
