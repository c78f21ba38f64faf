// What has gone wrong with one source since it was started.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_source.hpp"

#include "power/sampler/incident_log.hpp"
#include "power/sampler/rate_meter.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// Keeps the number of problems of each kind and the first error: a sensor that fails a hundred
/// times a second is one warning. Threads: one at a time.
class SourceHealth {
 public:
  /// Records the result of a poll.
  void record_poll(const Poll& poll, Instant at);
  /// A window or a reading that was invalid.
  void record_invalid_sample(Instant at) { invalid_.add(at); }
  /// The source could not be started, while others could.
  void record_failed_start(const Error& error, Instant at) { record_loss(error, at, true); }
  [[nodiscard]] bool is_lost() const { return loss_.has_value(); }
  /// The number of readings that failed (PollOutcome::retry).
  [[nodiscard]] std::size_t failed_readings() const;
  /// It works again, after it was lost or had not started.
  void record_restart(Instant at);
  /// The source did not answer for `patience`.
  void record_stall(Nanoseconds patience, Instant at) { stalls_.add(at, {}, patience); }
  /// The source was read at another rate than requested.
  void record_rate(const RateMeter::Deviation& rate, Instant at);
  /// Its thread did not get the requested priority.
  void record_refused_priority(const Error& error) { no_realtime_ = error; }
  /// What it cannot measure at present: PowerSource::faults().
  void record_faults(std::vector<Incident> faults) { faults_ = std::move(faults); }
  /// Its thread has ended by an error of its own.
  void record_failure(const Error& error) { failed_ = error; }

  /// The problems at or after an instant, and earlier ones that lasted until then. Codes:
  /// sensor_not_started, sensor_retried, sensor_gone, sensor_restarted, sensor_stalled,
  /// source_ended, invalid_windows, rate_deviation, realtime_refused, sampler_failed;
  /// and those of incidents and faults.
  [[nodiscard]] std::vector<Warning> warnings(std::string_view source,
                                              Instant since = Instant::min()) const;

 private:
  struct Loss {
    Error error;
    Instant at;
    bool from_start = false;  // it never started
  };
  void record_loss(const Error& error, Instant at, bool from_start);

  /// Incidents with a code of their own.
  struct Named {
    std::string code;
    IncidentLog log;
  };

  std::vector<Named> named_;
  std::vector<Incident> faults_;
  IncidentLog retries_;
  IncidentLog losses_;        // past losses, by their end, with their duration
  std::optional<Loss> loss_;  // the current loss
  std::optional<Error> ended_;
  IncidentLog invalid_;
  IncidentLog stalls_;
  IncidentLog deviations_;
  RateMeter::Deviation rate_;  // the last deviation
  std::optional<Error> no_realtime_;
  std::optional<Error> failed_;
};

}  // namespace enprof
