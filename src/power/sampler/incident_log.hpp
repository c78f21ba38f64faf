// How often something happened, and when, in bounded memory.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Counts incidents of one kind so that those since any instant can be told apart from older ones.
/// The last ones are kept singly; older ones are taken together, ever more of them the older they
/// are, so that an instant far back is met within a few per cent of its age. Threads: one at a
/// time.
class IncidentLog {
 public:
  struct Incidents {
    Instant begin;            ///< of the first
    Instant end;              ///< of the last
    std::size_t count = 0;    ///< how many
    Nanoseconds duration{0};  ///< how long they lasted together
    Error first;              ///< what was wrong the first time
  };

  /// `at` is when it happened, or ended, where it lasted for some time.
  void add(Instant at, const Error& error = {}, Nanoseconds duration = Nanoseconds{0});

  /// Those at or after an instant, as one; empty where there are none.
  [[nodiscard]] std::optional<Incidents> since(Instant instant) const;

  static constexpr std::size_t kCapacity = 64;

 private:
  std::vector<Incidents> entries_;  // by time
};

}  // namespace enprof
