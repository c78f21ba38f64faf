// Logs the problems of a source.
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

/// Logs the first problem of each kind at once, and then one per minute (LogGate): a sensor that
/// fails a hundred times a second makes one line per minute. The failed readings and losses in
/// between are logged at level DEBUG.
///
/// Threads: any. Lines are written without holding the mutex: the log may be slow.
class SourceTroubleLog {
 public:
  /// `source` is its name: "rapl".
  explicit SourceTroubleLog(std::string source) : source_(std::move(source)) {}

  /// From now on the first problem of each kind is logged at once again.
  void reset();

  /// Logs the problems in the result of a poll.
  void log_poll(const Poll& poll, Instant now);
  /// What it cannot measure.
  void log_fault(const Incident& fault) const;
  void log_failed_start(const Error& error) const;
  /// The source is read again after it was lost.
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
  std::map<std::string, LogGate> gates_;  // by kind: one kind does not suppress another
};

}  // namespace enprof
