// What has gone wrong with one source since it was started.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_source.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Keeps the first error of a kind and the number of all: a sensor that fails a hundred times a
/// second is one warning. Threads: one at a time.
class SourceHealth {
 public:
  /// Takes the outcome of a poll.
  void take(const Poll& poll);
  /// Counts a window that was none.
  void refuse_window() { ++refused_windows_; }
  /// The source could not be started, while others could.
  void not_started(const Error& error) { not_started_ = error; }
  /// It has kept everybody waiting for so long.
  void stalled(Nanoseconds patience) { stalled_ = patience; }

  /// Codes: sensor_not_started, sensor_retried, sensor_gone, sensor_stalled, source_ended,
  /// invalid_windows; and those of incidents.
  [[nodiscard]] std::vector<Warning> warnings(std::string_view source) const;

 private:
  /// Incidents with a code of their own.
  struct Named {
    Incident first;
    std::size_t count = 0;
  };

  std::optional<Error> not_started_;
  std::optional<Error> first_retry_;
  std::size_t retries_ = 0;
  std::optional<Error> gone_;
  std::optional<Error> ended_;
  std::size_t refused_windows_ = 0;
  std::optional<Nanoseconds> stalled_;
  std::vector<Named> named_;
};

}  // namespace enprof
