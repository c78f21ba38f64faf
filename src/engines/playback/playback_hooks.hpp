// The hooks of a script: passes of its plans, operation by operation or component by component.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/playback/playback_script.hpp"
#include "profile/engine_hooks.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace enprof {

/// Fails where its script says so. Threads: one.
class PlaybackHooks final : public EngineHooks {
 public:
  /// Both outlive it.
  PlaybackHooks(const PlaybackScript& script, RunScope& run) : script_(script), run_(run) {}

  [[nodiscard]] Result<HookOffer> offer(HookDepth depth) const override;
  [[nodiscard]] Result<void> attach(HookDepth depth, bool values) override;
  [[nodiscard]] Result<void> detach() override;

  /// A pass of a plan has been played. Error: what is attached has failed in it.
  [[nodiscard]] Result<void> end_pass(std::size_t plan, Instant begin);

 private:
  /// A plan as the run knows it.
  struct HookedPlan {
    std::uint32_t id = 0;
    std::vector<std::uint32_t> ends;  // of what is distinguished: operations of the script's plan
  };

  const PlaybackScript& script_;
  RunScope& run_;
  std::optional<HookDepth> attached_;
  std::vector<HookedPlan> plans_;
  std::vector<Instant> stamps_;
  std::size_t passes_ = 0;
};

}  // namespace enprof
