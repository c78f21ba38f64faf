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

/// What ChildProcess says of its life holds here. Threads: one at a time.
class PowermetricsProcess {
 public:
  /// Errors: those of ChildProcess::start.
  [[nodiscard]] static Result<PowermetricsProcess> start(PowermetricsCommand command);

  struct Output {
    /// In the order in which they came; an error stands for a document that is none.
    std::vector<Result<PowermetricsSample>> samples;
    bool ended = false;  ///< no more will come
  };
  /// What has come since the last call. Never waits.
  [[nodiscard]] Output read();
  /// Returns once there is something to read, or the time is over.
  void wait(Nanoseconds timeout) { child_.wait_for_output(timeout); }

  /// Why it ended; waits a moment for the end to be known.
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
