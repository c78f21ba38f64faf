// What the log hears of a source that gives trouble.
#pragma once

#include "enprof/power/power_source.hpp"

#include "power/sampler/log_gate.hpp"
#include "power/sampler/rate_meter.hpp"

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace enprof {

/// Logs the first trouble of each kind at once, and then one a minute (LogGate): a sensor that
/// fails a hundred times a second leaves a line a minute. Failed readings and losses that are held
/// back are there at level DEBUG.
///
/// Threads: any. Lines are written outside of the mutex: who reads the log may take their time.
class SourceTroubleLog {
 public:
  /// `source` is its name: "rapl".
  explicit SourceTroubleLog(std::string source) : source_(std::move(source)) {}

  /// From now on the first of each kind is logged at once again.
  void reset();

  /// What a poll has found.
  void log_poll(const Poll& poll, Instant now);
  void log_failed_start(const Error& error) const;
  /// It is read again after it was lost.
  void log_return(Instant now);
  void log_invalid_samples(std::size_t count, Instant now);
  void log_rate(const RateMeter::Deviation& rate, Instant now);
  void log_stall(Nanoseconds patience, Instant now);
  void log_refused_priority(const Error& error) const;

 private:
  [[nodiscard]] bool opens(const std::string& kind, Instant now);
  void log_trouble(const std::string& kind, const Error& error, Instant now);

  const std::string source_;
  std::mutex mutex_;
  std::map<std::string, LogGate> gates_;  // by kind: one does not hide another
};

}  // namespace enprof
