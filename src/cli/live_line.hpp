// The line that shows how a run is doing.
#pragma once

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "cli/console.hpp"

#include <cstddef>
#include <optional>

namespace enprof {

/// Shows phase, tokens/s, watts and joules per token of the profiler's run on stderr, where that is
/// a terminal. It belongs to the profiler's listener, which a terminal that takes nothing may hold
/// longer than the run.
class LiveLine {
 public:
  /// Before the run.
  static void follow(InferencePipelineProfiler& profiler);

 private:
  void hear(const Event& event);

  StatusLine status_;
  Phase phase_ = Phase::pre_inference;
  std::size_t tokens_ = 0;
  Nanoseconds first_token_{0};
  Nanoseconds last_token_{0};
  Nanoseconds last_shown_{0};
  std::optional<Watts> power_;
  std::optional<Joules> energy_;
  // At the first power sample of the decode phase: energy per token counts from there.
  std::optional<Joules> energy_at_first_;
  std::size_t tokens_at_first_ = 0;
};

}  // namespace enprof
