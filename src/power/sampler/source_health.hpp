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
#include <vector>

namespace enprof {

/// Keeps the number of troubles of a kind and the first error: a sensor that fails a hundred times
/// a second is one warning. Threads: one at a time.
class SourceHealth {
 public:
  /// What a poll has found.
  void record_poll(const Poll& poll, Instant at);
  /// A window or a reading that was invalid.
  void record_invalid_sample(Instant at) { invalid_.add(at); }
  /// The source could not be started, while others could.
  void record_failed_start(const Error& error, Instant at) { record_loss(error, at, true); }
  [[nodiscard]] bool is_lost() const { return loss_.has_value(); }
  /// Readings that were to be tried again.
  [[nodiscard]] std::size_t failed_readings() const;
  /// It works again, after it was lost or had not started.
  void record_restart(Instant at);
  /// It has kept everybody waiting for so long.
  void record_stall(Nanoseconds patience, Instant at) { stalls_.add(at, {}, patience); }
  /// It was read at another rate than it should be.
  void record_rate(const RateMeter::Deviation& rate, Instant at);
  /// Its thread did not get the priority that was asked for.
  void record_refused_priority(const Error& error) { no_realtime_ = error; }
  /// Its thread has ended by an error of its own.
  void record_failure(const Error& error) { failed_ = error; }

  /// What happened at or after an instant, and what lasted until then or still does. Codes:
  /// sensor_not_started, sensor_retried, sensor_gone, sensor_restarted, sensor_stalled,
  /// source_ended, invalid_windows, rate_deviation, realtime_refused, sampler_failed;
  /// and those of incidents.
  [[nodiscard]] std::vector<Warning> warnings(std::string_view source,
                                              Instant since = Instant::min()) const;

 private:
  struct Loss {
    Error error;
    Instant at;
    bool from_start = false;  // it was never there
  };
  void record_loss(const Error& error, Instant at, bool from_start);

  /// Incidents with a code of their own.
  struct Named {
    std::string code;
    IncidentLog log;
  };

  std::vector<Named> named_;
  IncidentLog retries_;
  IncidentLog losses_;        // those that are over, by their end; how long they lasted
  std::optional<Loss> loss_;  // one that lasts
  std::optional<Error> ended_;
  IncidentLog invalid_;
  IncidentLog stalls_;
  IncidentLog deviations_;
  RateMeter::Deviation rate_;  // the last deviation
  std::optional<Error> no_realtime_;
  std::optional<Error> failed_;
};

}  // namespace enprof
