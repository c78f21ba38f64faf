// Records the CPU times of the machine and of this process during a run.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/cpu_times.hpp"
#include "base/periodic_thread.hpp"

#include <optional>
#include <vector>

namespace enprof {

/// Samples CPU times on its own thread, five times a second. A sample takes 12 to 80 µs, so this is
/// 0.04 % of one CPU at most. The kernel counts in ticks of 10 ms, so more samples would say little
/// more. There are no samples if the CPU times cannot be read.
///
/// When it has `most_samples` samples it removes every second one and doubles the period, so that
/// memory is bounded.
///
/// Threads: one thread calls start() and stop() and destroys it. Its own thread only samples.
class CpuLoadRecorder {
 public:
  static constexpr Nanoseconds kPeriod = std::chrono::milliseconds{200};
  static constexpr std::size_t kMostSamples = 1U << 16U;

  /// `times` and `clock` must outlive the recorder.
  explicit CpuLoadRecorder(const CpuTimes& times, const Clock& clock, Nanoseconds period = kPeriod,
                           std::size_t most_samples = kMostSamples);
  CpuLoadRecorder(const CpuLoadRecorder&) = delete;
  CpuLoadRecorder& operator=(const CpuLoadRecorder&) = delete;

  /// Takes and returns the first sample, and starts the thread. Empty if it is already started, or
  /// if the CPU times cannot be read. If no thread can be started, only the first and the last
  /// sample are taken.
  std::optional<CpuSnapshot> start();
  /// Takes the last sample and returns all, in the order of time. Empty if it was not started.
  [[nodiscard]] std::vector<CpuSample> stop();

 private:
  void sample();

  const CpuTimes& times_;
  const Clock& clock_;
  Nanoseconds period_;
  std::size_t most_samples_;
  std::vector<CpuSample> samples_;  // only the thread uses it while it runs
  bool started_ = false;
  PeriodicThread thread_;
};

}  // namespace enprof
