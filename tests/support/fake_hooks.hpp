// Hooks of an engine that do what a test says.
#pragma once

#include "enprof/base/log.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "profile/engine_hooks.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof::testing {

/// Keeps account of what is called.
class FakeHooks final : public EngineHooks {
 public:
  using Answer = std::function<Result<void>()>;

  Result<HookOffer> offer(HookDepth depth) const override { return offers(depth)(); }
  Result<void> attach(HookDepth depth, bool values) override {
    calls.push_back(std::string("attach ") + name(depth) + (values ? " and values" : ""));
    return (depth == HookDepth::components ? on_components : on_operations)();
  }
  Result<void> detach() override {
    calls.emplace_back("detach");
    return on_detach();
  }

  static Result<void> works() { return {}; }
  static Result<HookOffer> for_free() { return HookOffer{}; }
  static Result<HookOffer> slow() { return HookOffer{.slows_down = true}; }

  std::function<Result<HookOffer>()> components = for_free;
  std::function<Result<HookOffer>()> operations = for_free;
  Answer on_components = works;
  Answer on_operations = works;
  Answer on_detach = works;
  std::vector<std::string> calls;

 private:
  static const char* name(HookDepth depth) {
    return depth == HookDepth::components ? "components" : "operations";
  }
  [[nodiscard]] const std::function<Result<HookOffer>()>& offers(HookDepth depth) const {
    return depth == HookDepth::components ? components : operations;
  }
};

/// A run to attach to, without power or database, and its log.
class HooksTest : public ::testing::Test {
 protected:
  HooksTest() {
    EXPECT_TRUE(set_log_file(dir_.path() / "log"));
    set_log_level(LogLevel::error);
  }
  ~HooksTest() override { set_log_level(LogLevel::off); }

  [[nodiscard]] RunScope begin(Depth depth) {
    return profiler_.run({.model_name = "m", .depth = depth, .max_output_tokens = 8});
  }
  /// Those of hooks: "code: message (hint)".
  static std::vector<std::string> warnings(RunScope& run) {
    std::vector<std::string> result;
    for (const Warning& warning : run.finish().warnings) {
      if (warning.component == "engine" || warning.component == "profile") {
        result.push_back(warning.code + ": " + warning.message + " (" + warning.hint + ")");
      }
    }
    return result;
  }
  [[nodiscard]] std::string log() const { return read_file(dir_.path() / "log"); }

  TempDir dir_;
  FakeHooks hooks_;
  InferencePipelineProfiler profiler_{static_cast<PowerMonitor*>(nullptr), nullptr};
};

}  // namespace enprof::testing
