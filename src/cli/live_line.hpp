// The line that shows how a run is doing.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "cli/console.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace enprof {

/// How far a run has come.
struct LiveFigures {
  Phase phase = Phase::pre_inference;
  std::size_t tokens = 0;
  std::size_t most_tokens = 0;  ///< 0: not known
  Nanoseconds elapsed{0};
  std::optional<double> tokens_per_second{};
  std::optional<Watts> power{};
  std::optional<Joules> energy{};            ///< since the run's begin
  std::optional<Joules> energy_per_token{};  ///< of a token decoded
  bool is_estimated = false;  ///< a part of the power that adds up to the total is no measurement
};

/// The figures on one line of at most so many columns. Where there is no room for all, energy and
/// tokens stay, and what can be told from others goes first.
[[nodiscard]] std::string live_line(const LiveFigures& figures, std::size_t columns);

/// Shows phase, tokens, time, energy and watts of the profiler's run on stderr, where that is a
/// terminal that a line can be redrawn on. It belongs to the profiler's listener, which a terminal
/// that takes nothing may hold longer than the run.
class LiveLine {
 public:
  /// Before the run. `monitor`: what the profiler measures with, or null; `most_tokens`: at most so
  /// many come.
  static void follow(InferencePipelineProfiler& profiler, const PowerMonitor* monitor,
                     std::size_t most_tokens);

 private:
  void show(const Event& event);

  StatusLine status_;
  LiveFigures figures_;
  Nanoseconds first_token_{0};
  Nanoseconds last_token_{0};
  Nanoseconds last_shown_{0};
  // At the first power sample of the decode phase: energy per token counts from there.
  std::optional<Joules> energy_at_first_;
  std::size_t tokens_at_first_ = 0;
};

}  // namespace enprof
