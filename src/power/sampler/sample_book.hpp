// What all sources have said: where their threads and those who ask meet.
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

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace enprof {

/// Threads: any thread may call anything; none is kept waiting for longer than a copy takes, but by
/// record_to().
class SampleBook {
 public:
  /// `domains` are those of all sources, parents linked; they outlive the book.
  explicit SampleBook(const std::vector<Domain>& domains)
      : windows_(domains), readings_(domains.size()) {}

  /// The part of the domains that belongs to one source.
  struct Place {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  /// Adds what a source has said, in its own counting of domains, and hands it on to the recording,
  /// if there is one. Returns how many windows and readings were invalid, and are left out.
  [[nodiscard]] std::size_t add(Place place, std::vector<EnergyWindow>& windows,
                                std::vector<SensorReading>& readings);

  /// Begins anew at an instant.
  void clear(Instant origin);
  void keep_edge(Instant instant);
  void forget_before(Instant instant);
  [[nodiscard]] std::vector<EnergyWindow> windows(Instant begin, Instant end) const;
  [[nodiscard]] std::vector<SensorReading> readings(Instant begin, Instant end) const;
  [[nodiscard]] PowerNow now(Instant instant) const;
  [[nodiscard]] std::optional<PeakPower> peak() const;

  /// Hands the windows from now on to a recording; none ends that. Waits for an earlier one's end
  /// for as long as `patience` allows.
  void record_to(std::unique_ptr<RecordingQueue> recording, Nanoseconds patience);
  /// Code: recording_failed.
  [[nodiscard]] std::vector<Warning> warnings(Instant since) const;

 private:
  mutable std::mutex mutex_;
  WindowStore windows_;
  ReadingStore readings_;
  Instant origin_;
  std::unique_ptr<RecordingQueue> recording_;
  IncidentLog failed_recordings_;  // that have ended
};

}  // namespace enprof
