// Attaches to an engine, so that a run knows its operations and the values in them.
#pragma once

#include "profile/layer_profiler.hpp"

#include <memory>

namespace enprof {

/// Has hooks for operations and sampled values attached. Where these fail, it is a LayerProfiler,
/// whose hooks may then slow the inference down: who asks for a deep run wants all that can be
/// known.
/// Threads: the generation's.
class DeepProfiler final : public LayerProfiler {
 public:
  /// Both outlive it.
  DeepProfiler(RunScope& run, EngineHooks& hooks) : LayerProfiler(run, hooks, true) {}

  void attach() override;
};

/// Attaches what the run's depth asks for, before the first pass. Null at minimal: no hooks are
/// needed. Both outlive it.
[[nodiscard]] std::unique_ptr<LayerProfiler> attach_profiler(RunScope& run, EngineHooks& hooks);

}  // namespace enprof
