// Records how often something happened, and when, in limited memory.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Counts incidents of one kind, and can return those since a given instant. The latest ones are
/// stored one by one; older ones are merged, the more the older they are. So for an instant far
/// back the count is exact to within a few per cent of its age. Threads: one at a time.
class IncidentLog {
 public:
  struct Incidents {
    Instant begin;            ///< begin of the first
    Instant end;              ///< end of the last
    std::size_t count = 0;    ///< number of incidents
    Nanoseconds duration{0};  ///< sum of their durations
    Error first;              ///< the error of the first
  };

  /// `at`: when it happened, or when it ended if it lasted for some time.
  void add(Instant at, const Error& error = {}, Nanoseconds duration = Nanoseconds{0});

  /// The incidents at or after an instant, merged; empty if there are none.
  [[nodiscard]] std::optional<Incidents> since(Instant instant) const;

  static constexpr std::size_t kCapacity = 64;

 private:
  std::vector<Incidents> entries_;  // by time
};

}  // namespace enprof
