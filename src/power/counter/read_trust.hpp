// Whether a counter has always been quick to read.
#pragma once

#include "enprof/base/clock.hpp"

#include <cstddef>
#include <optional>

namespace enprof {

/// A read that took so long hardly lost the CPU to others only, who have it for some milliseconds
/// each: its driver may hang. Where a dozen threads wait for one CPU it may have lost the CPU after
/// all; what follows from that does no harm.
inline constexpr Nanoseconds kHangingRead = std::chrono::milliseconds{50};

/// A thread that computes may read a counter only where a read has never been seen to hang, as
/// nothing can end a read that does. So the source's own thread reads it first: kFewest times, over
/// kWatched. After a read that took kHangingRead, on whichever thread, it is not read by the other
/// one for kPause; a run is mostly over by then. Threads: one at a time.
class ReadTrust {
 public:
  /// Notes a read that ended at `now`, after so long.
  void note(Nanoseconds took, Instant now) noexcept;
  [[nodiscard]] bool is_earned(Instant now) const noexcept;

  static constexpr std::size_t kFewest = 100;
  static constexpr Nanoseconds kWatched = std::chrono::milliseconds{500};
  static constexpr Nanoseconds kPause = std::chrono::minutes{10};

 private:
  std::optional<Instant> since_;    // the first read
  std::optional<Instant> hung_at_;  // the last one that hung
  std::size_t reads_ = 0;
};

}  // namespace enprof
