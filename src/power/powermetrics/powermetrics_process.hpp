// A running powermetrics and the samples that it writes.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "base/child_process.hpp"
#include "power/powermetrics/powermetrics_command.hpp"
#include "power/powermetrics/powermetrics_sample.hpp"
#include "power/powermetrics/powermetrics_stream.hpp"

#include <utility>
#include <vector>

namespace enprof {

/// It ends as ChildProcess describes. Threads: one at a time.
class PowermetricsProcess {
 public:
  /// Errors: those of ChildProcess::start.
  [[nodiscard]] static Result<PowermetricsProcess> start(PowermetricsCommand command);

  struct Output {
    /// In the order of arrival; an error for each invalid document.
    std::vector<Result<PowermetricsSample>> samples;
    bool ended = false;  ///< no more will come
  };
  /// Everything that arrived since the last call. Never waits.
  [[nodiscard]] Output read();
  /// Returns when there is something to read, or the time is over.
  void wait(Nanoseconds timeout) { child_.wait_for_output(timeout); }

  /// Why it ended; waits a moment for its exit status.
  [[nodiscard]] Error ending();
  [[nodiscard]] pid_t pid() const noexcept { return child_.pid(); }

 private:
  PowermetricsProcess(ChildProcess child, PowermetricsCommand command)
      : child_(std::move(child)), command_(std::move(command)) {}

  ChildProcess child_;
  PowermetricsCommand command_;
  PowermetricsStream stream_;
};

}  // namespace enprof
