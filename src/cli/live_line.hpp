// The line that shows the progress of a run.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "cli/console.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace enprof {

/// The progress of a run.
struct LiveFigures {
  Phase phase = Phase::pre_inference;
  std::size_t tokens = 0;
  std::size_t most_tokens = 0;  ///< 0: unknown
  Nanoseconds elapsed{0};
  std::optional<double> tokens_per_second{};
  std::optional<Watts> power{};
  std::optional<Joules> energy{};            ///< since the run began
  std::optional<Joules> energy_per_token{};  ///< per decoded token
  bool is_estimated = false;                 ///< a root domain's power is estimated
};

/// The figures on one line of at most `columns` columns. If they do not fit, energy and tokens
/// stay, and what follows from other figures is dropped first.
[[nodiscard]] std::string live_line(const LiveFigures& figures, std::size_t columns);

/// Whether the power of a root domain is estimated.
[[nodiscard]] bool is_estimated(const PowerMonitor& monitor);

/// Shows phase, tokens, time, energy and watts of the profiler's run on stderr, if that is a
/// terminal that can redraw a line. The profiler's listener owns it, because a terminal that blocks
/// may hold it longer than the run.
class LiveLine {
 public:
  /// To be called before the run. `monitor` is the profiler's, or null; `most_tokens` is the
  /// largest possible number of tokens.
  static void attach(InferencePipelineProfiler& profiler, const PowerMonitor* monitor,
                     std::size_t most_tokens);

 private:
  void show(const Event& event);

  StatusLine status_;
  LiveFigures figures_;
  Nanoseconds first_token_{0};
  Nanoseconds last_token_{0};
  Nanoseconds last_shown_{0};
  // Values at the first power sample of the decode phase, from which energy per token is counted.
  std::optional<Joules> energy_at_first_;
  std::size_t tokens_at_first_ = 0;
};

}  // namespace enprof
