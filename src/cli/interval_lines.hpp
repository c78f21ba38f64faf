// The lines of `enprof exec --interval`.
#pragma once

#include "enprof/power/power_monitor.hpp"

#include "session/live_requests.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// What is said of the requests of a program: those in flight and all so far, output tokens per
/// second and sequences a pass since `before`, and energy per output token so far. Empty if no pass
/// is known. `mark` precedes an energy that is estimated.
[[nodiscard]] std::string requests_so_far(const RequestsSoFar& before, const RequestsSoFar& now,
                                          Nanoseconds between, std::optional<Joules> energy,
                                          std::string_view mark);

/// What the sensors and a program's passes have told since the line before. Threads: one.
class IntervalLines {
 public:
  /// `requests` must outlive it.
  explicit IntervalLines(const LiveRequests& requests) : requests_(requests) {}

  /// A run begins. `power` is null if power is not measured.
  void begin(PowerMonitor* power);
  /// The line of a run that is this old.
  [[nodiscard]] std::string line(Nanoseconds since);

 private:
  [[nodiscard]] std::optional<Watts> advance();

  const LiveRequests& requests_;
  PowerMonitor* power_ = nullptr;
  Instant told_;
  Joules energy_;
  Nanoseconds last_{0};   // the age of the run at the line before
  RequestsSoFar before_;  // then
};

}  // namespace enprof
