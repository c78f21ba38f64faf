// Samples all sources of a monitor, and keeps their windows and readings.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "power/sampler/sample_book.hpp"
#include "power/sampler/source_worker.hpp"
#include "power/sampler/window_recorder.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// Starts and stops the workers of several sources and requests readings of them, always in
/// parallel: a call takes as long as the slowest worker, but no longer than Patience says.
///
/// It is held by shared_ptr, and each worker's thread has a share. So if a sensor blocks a thread,
/// stop() can leave the thread behind, and the sampler lives as long as the thread.
///
/// Threads: any thread may call any function.
class PowerSampler : public std::enable_shared_from_this<PowerSampler> {
 public:
  /// How long a call waits for sensors at most.
  struct Patience {
    Nanoseconds answer = std::chrono::seconds{2};  ///< for a reading of all sources
    Nanoseconds start = std::chrono::seconds{10};  ///< until all sources have started
  };

  PowerSampler(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock)
      : PowerSampler(std::move(sources), clock, Patience{}) {}
  PowerSampler(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock,
               Patience patience);
  PowerSampler(const PowerSampler&) = delete;
  PowerSampler& operator=(const PowerSampler&) = delete;
  ~PowerSampler() = default;

  [[nodiscard]] const std::vector<Domain>& domains() const noexcept { return domains_; }
  [[nodiscard]] std::vector<std::string> descriptions() const;
  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }

  /// Starts each source on its own thread. If some sources fail or do not start in time, that is a
  /// warning, and they are started again later. Errors: invalid_argument, already_running, or the
  /// first source's error if no source starts.
  [[nodiscard]] Result<void> start(std::optional<Nanoseconds> interval,
                                   SamplingPriority priority = SamplingPriority::normal);
  /// Takes a last reading of each source, and ends the threads and the recording. Leaves behind
  /// threads that do not end in time.
  void stop();
  [[nodiscard]] bool is_running() const noexcept;
  [[nodiscard]] Nanoseconds interval() const noexcept;
  /// Polls all sources now and waits until they have answered, but no longer than Patience::answer.
  void sync();
  /// See PowerMonitor::wait_for_windows_after.
  void wait_for_windows_after(Instant instant);

  [[nodiscard]] WindowsByDomain windows(Instant begin, Instant end) const {
    return book_.windows(begin, end);
  }
  [[nodiscard]] std::vector<SensorReading> readings(Instant begin, Instant end) const {
    return book_.readings(begin, end);
  }
  void forget_before(Instant instant) { book_.forget_before(instant); }
  [[nodiscard]] TrustedDomains trusted_domains(Instant begin, Instant end) const {
    return book_.trusted_domains(begin, end);
  }
  [[nodiscard]] PowerNow now() const { return book_.now(clock_.now()); }
  [[nodiscard]] std::optional<PeakPower> peak() const { return book_.peak(); }
  [[nodiscard]] std::vector<SourceRate> rates() const;
  [[nodiscard]] std::vector<std::shared_ptr<BorderReader>> border_readers() const;
  [[nodiscard]] std::vector<Warning> warnings(Instant since = Instant::min()) const;
  /// Gives windows from now on to a recorder, until stop(). Error: unavailable if no thread starts.
  /// `domains`: those of this sampler, as the recording is to describe them.
  [[nodiscard]] Result<void> record_to(std::unique_ptr<WindowRecorder> recorder,
                                       const std::vector<Domain>& domains);

 private:
  /// The first error if no source has started; empty if at least one has.
  [[nodiscard]] std::optional<Error> start_workers(const SourceWorker::Session& session);
  void end_workers(Nanoseconds patience);
  /// For the log: the interval of each source; empty if all intervals are the same.
  [[nodiscard]] std::string intervals_of_each() const;

  const Clock& clock_;
  const Patience patience_;
  const std::vector<Domain> domains_;
  SampleBook book_;
  std::vector<std::unique_ptr<SourceWorker>> workers_;  // never changes

  std::mutex control_;  // held by start() and stop(), so that they do not overlap

  mutable std::mutex mutex_;  // guards the members below
  bool is_running_ = false;
  Nanoseconds interval_ = PowerMonitor::kDefaultInterval;
};

}  // namespace enprof
