// How busy the machine was during a run, and how much of that was this process.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/cpu_times.hpp"
#include "base/periodic_thread.hpp"

#include <optional>
#include <vector>

namespace enprof {

/// Reads CPU times now and then, on a thread of its own: five times a second, 12 to 80 µs each,
/// 0.04 % of one CPU at most. The kernel counts in ticks of 10 ms: more often would tell little
/// more. Where they cannot be read there are no samples.
///
/// A run longer than kMostSamples periods is read half as often, and so on: memory stays bounded.
///
/// Threads: start, stop and destruction from one; the sampling thread touches nothing else.
class CpuLoadRecorder {
 public:
  static constexpr Nanoseconds kPeriod = std::chrono::milliseconds{200};
  static constexpr std::size_t kMostSamples = 1U << 16U;

  /// Both outlive the recorder.
  explicit CpuLoadRecorder(const CpuTimes& times, const Clock& clock, Nanoseconds period = kPeriod,
                           std::size_t most_samples = kMostSamples);
  CpuLoadRecorder(const CpuLoadRecorder&) = delete;
  CpuLoadRecorder& operator=(const CpuLoadRecorder&) = delete;

  /// Takes the first sample, here and now, gives it, and goes on. Where no thread can be had, there
  /// will be the first sample and the last.
  std::optional<CpuSnapshot> start();
  /// Takes the last sample and gives all, in the order of time. Empty where it was not started.
  [[nodiscard]] std::vector<CpuSample> stop();

 private:
  void sample();

  const CpuTimes& times_;
  const Clock& clock_;
  Nanoseconds period_;
  std::size_t most_samples_;
  std::vector<CpuSample> samples_;  // the thread's while it runs
  bool started_ = false;
  PeriodicThread thread_;
};

}  // namespace enprof
