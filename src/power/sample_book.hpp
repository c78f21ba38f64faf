// What all sources have said: where their threads and those who ask meet.
#pragma once

#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/model/sensor_reading.hpp"
#include "enprof/power/power_monitor.hpp"

#include "power/incident_log.hpp"
#include "power/reading_store.hpp"
#include "power/window_recorder.hpp"
#include "power/window_store.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace enprof {

/// Threads: any thread may call anything; none is kept waiting for longer than a copy takes, but by
/// record().
class SampleBook {
 public:
  /// `domains` are those of all sources, parents linked; they outlive the book.
  explicit SampleBook(const std::vector<Domain>& domains)
      : domains_(domains), windows_(domains), readings_(domains.size()) {}

  /// The part of the domains that belongs to one source.
  struct Place {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  /// Takes in what a source has said, in its own counting of domains. Afterwards `windows` are
  /// those that were good, in ours. Returns how many of both were none.
  [[nodiscard]] std::size_t take(Place place, std::vector<EnergyWindow>& windows,
                                 std::vector<SensorReading>& readings);

  /// Begins anew at an instant.
  void clear(Instant origin);
  void keep_edge(Instant instant);
  void forget_before(Instant instant);
  [[nodiscard]] std::vector<EnergyWindow> windows(Instant begin, Instant end) const;
  [[nodiscard]] std::vector<SensorReading> readings(Instant begin, Instant end) const;
  [[nodiscard]] PowerNow now(Instant instant) const;
  [[nodiscard]] std::optional<PeakPower> peak() const;

  /// Hands the windows from now on to a recorder; none ends that.
  void record_to(std::unique_ptr<WindowRecorder> recorder);
  [[nodiscard]] bool is_recording() const noexcept { return is_recording_; }
  /// Writes windows of ours to the recorder, if there is one. The time of a failure, which is also
  /// the recording's end, is `at`.
  void record(const std::vector<EnergyWindow>& windows, Instant at);
  /// Code: recording_failed.
  [[nodiscard]] std::vector<Warning> warnings(Instant since) const;

 private:
  const std::vector<Domain>& domains_;

  mutable std::mutex mutex_;
  WindowStore windows_;
  ReadingStore readings_;
  Instant origin_;
  IncidentLog failed_recordings_;

  std::mutex record_mutex_;  // apart: writing to a file may take its time
  std::unique_ptr<WindowRecorder> recorder_;
  std::atomic<bool> is_recording_{false};
};

}  // namespace enprof
