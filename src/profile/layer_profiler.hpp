// Attaches to an engine, so that a run knows its layers and components.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "profile/engine_hooks.hpp"

#include <optional>

namespace enprof {

/// Has a generation's hooks attached at module depth, and decides what is done where they fail: the
/// inference goes on, with what can still be distinguished. Each step down is logged and a warning
/// of the run: `hooks_failed`, `components_only` or `tokens_only`.
/// Threads: the generation's.
class LayerProfiler {
 public:
  /// Both outlive it.
  LayerProfiler(RunScope& run, EngineHooks& hooks);
  LayerProfiler(const LayerProfiler&) = delete;
  LayerProfiler& operator=(const LayerProfiler&) = delete;
  /// Detaches.
  virtual ~LayerProfiler();

  /// Before the first pass: attaches hooks that do not slow the inference down. Those for
  /// operations do as well, where an engine has no others. Where there are none, or they fail, only
  /// tokens are timed.
  virtual void attach();
  /// Between two passes: what is attached has failed, for this reason (the begin of a sentence).
  /// Goes on with the next coarser hooks, even if they slow the inference down; else with tokens
  /// alone.
  void fall_back(const Error& reason) noexcept;
  /// A failure is logged.
  void detach() noexcept;

  /// Empty: tokens alone.
  [[nodiscard]] std::optional<HookDepth> attached() const noexcept { return attached_; }

 protected:
  LayerProfiler(RunScope& run, EngineHooks& hooks, bool values);

  /// These two ask the engine; what it throws is an error.
  [[nodiscard]] Result<HookOffer> offered(HookDepth depth) const;
  [[nodiscard]] Result<void> try_to_attach(HookDepth depth);
  /// Attaches to components in place of the operations, which there are not for this reason.
  void attach_components(const Error& reason, bool in_mid_run);

 private:
  void go_down(const Error& reason);
  void warn_of_components(const Error& reason, bool slows_down, bool in_mid_run);
  void warn_of_tokens(const Error& reason, bool in_mid_run);

  RunScope& run_;
  EngineHooks& hooks_;
  bool values_;
  std::optional<HookDepth> attached_;
};

}  // namespace enprof
