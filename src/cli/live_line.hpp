// The line that shows how a run is doing.
#pragma once

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "cli/console.hpp"

#include <cstddef>
#include <optional>

namespace enprof {

/// While it exists, shows phase, tokens/s, watts and joules per token of the profiler's run on
/// stderr, where that is a terminal. Must be made before the run, and outlive it.
class LiveLine {
 public:
  explicit LiveLine(InferencePipelineProfiler& profiler);

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
