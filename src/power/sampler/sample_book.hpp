// The windows and readings of all sources, shared by the sources' threads and by callers.
#pragma once

#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/model/sensor_reading.hpp"
#include "enprof/power/power_monitor.hpp"

#include "power/sampler/incident_log.hpp"
#include "power/sampler/reading_store.hpp"
#include "power/sampler/recording_queue.hpp"
#include "power/sampler/window_store.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace enprof {

/// Threads: any thread may call any function. A call waits no longer than another one takes to copy
/// its result; only record_to() may wait longer.
class SampleBook {
 public:
  /// `domains`: the domains of all sources, with parents linked; they must outlive the book.
  explicit SampleBook(const std::vector<Domain>& domains)
      : windows_(domains), readings_(domains.size()) {}

  /// The range of the domains that belongs to one source.
  struct Place {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  /// Adds windows and readings of a source, in which domains have the source's own numbers, and
  /// gives the windows to the recording if there is one. Invalid ones are left out; returns their
  /// number.
  [[nodiscard]] std::size_t add(Place place, std::vector<EnergyWindow>& windows,
                                std::vector<SensorReading>& readings);

  /// Removes all windows and readings; times of the peak are relative to `origin` from now on.
  void clear(Instant origin);
  void keep_edge(Instant instant);
  void forget_before(Instant instant);
  [[nodiscard]] WindowsByDomain windows(Instant begin, Instant end) const;
  [[nodiscard]] std::vector<SensorReading> readings(Instant begin, Instant end) const;
  /// Waits until each domain of a source has a window that begins at `instant` or later. Does not
  /// wait for domains without a window in the `reach` before `instant`: their sensor gives none.
  /// False if a window is missing at the deadline.
  bool wait_for_windows(Place place, Instant instant, Nanoseconds reach,
                        std::chrono::steady_clock::time_point deadline) const;
  [[nodiscard]] TrustedDomains trusted_domains(Instant begin, Instant end) const;
  [[nodiscard]] PowerNow now(Instant instant) const;
  [[nodiscard]] std::optional<PeakPower> peak() const;

  /// Gives windows that are added from now on to this recording; null: to no recording. Ends the
  /// previous recording and waits up to `patience` for its last windows to be written.
  void record_to(std::unique_ptr<RecordingQueue> recording, Nanoseconds patience);
  /// Code: recording_failed.
  [[nodiscard]] std::vector<Warning> warnings(Instant since) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable added_;  // windows
  WindowStore windows_;
  ReadingStore readings_;
  Instant origin_;
  std::unique_ptr<RecordingQueue> recording_;
  IncidentLog failed_recordings_;  // only recordings that have ended
};

}  // namespace enprof
