// All sources of a monitor, and what they have said.
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

/// Starts, stops and asks the workers of several sources, all at a time: nothing takes longer than
/// the slowest of them, or than patience allows.
///
/// Held by shared_ptr: each worker's thread has a share in it, so that one which a sensor does not
/// let go of can be left behind (stop) without pulling the ground from under it.
///
/// Threads: any thread may call anything.
class PowerSampler : public std::enable_shared_from_this<PowerSampler> {
 public:
  /// How long sensors may keep others waiting.
  struct Patience {
    Nanoseconds answer = std::chrono::seconds{2};  ///< one reading of all
    Nanoseconds start = std::chrono::seconds{10};  ///< until all have been started
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

  /// Starts the sources, each on its thread. One of several that fails, or has not started when
  /// patience ends, is a warning, and is tried again.
  [[nodiscard]] Result<void> start(std::optional<Nanoseconds> interval,
                                   SamplingPriority priority = SamplingPriority::normal);
  /// Takes a last reading of each and ends the threads and the recording; leaves behind what is
  /// stuck.
  void stop();
  [[nodiscard]] bool is_running() const noexcept;
  [[nodiscard]] Nanoseconds interval() const noexcept;
  /// Polls all sources now and waits until that is done, as far as patience goes.
  void sync();

  [[nodiscard]] std::vector<EnergyWindow> windows(Instant begin, Instant end) const {
    return book_.windows(begin, end);
  }
  [[nodiscard]] std::vector<SensorReading> readings(Instant begin, Instant end) const {
    return book_.readings(begin, end);
  }
  void forget_before(Instant instant) { book_.forget_before(instant); }
  [[nodiscard]] PowerNow now() const { return book_.now(clock_.now()); }
  [[nodiscard]] std::optional<PeakPower> peak() const { return book_.peak(); }
  [[nodiscard]] std::vector<SourceRate> rates() const;
  [[nodiscard]] std::vector<Warning> warnings(Instant since = Instant::min()) const;
  /// Hands the windows from now on to a recorder, until stop. Error: unavailable, without a thread.
  [[nodiscard]] Result<void> record_to(std::unique_ptr<WindowRecorder> recorder);

 private:
  /// Why none of the sources has started, where that is so.
  [[nodiscard]] std::optional<Error> start_workers(const SourceWorker::Session& session);
  void end_workers(Nanoseconds patience);
  /// For the log: how often each source is read, where they differ.
  [[nodiscard]] std::string intervals_of_each() const;

  const Clock& clock_;
  const Patience patience_;
  const std::vector<Domain> domains_;
  SampleBook book_;
  std::vector<std::unique_ptr<SourceWorker>> workers_;  // never changes

  std::mutex control_;  // start and stop, one after the other

  mutable std::mutex mutex_;  // guards what follows
  bool is_running_ = false;
  Nanoseconds interval_ = PowerMonitor::kDefaultInterval;
};

}  // namespace enprof
