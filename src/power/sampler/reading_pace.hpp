// Limits the CPU time of reading a counter by leaving out readings.
#pragma once

#include "enprof/base/clock.hpp"

#include <cstddef>

namespace enprof {

/// Adds up the CPU time that readings take, and leaves some out if it would exceed a share of the
/// elapsed time. On a physical machine a reading takes some 20 µs, and no reading is left out; in a
/// virtual machine whose CPUs all compute it takes up to 90 µs.
///
/// If one reading costs more (a search for a counter's step), later ones are left out to make up
/// for it: at most kMostLeftOut between two readings; the rest of the debt remains.
///
/// Threads: one at a time.
class ReadingPace {
 public:
  explicit ReadingPace(double cpu_share) : cpu_share_(cpu_share) {}

  /// Starts again. `cpu`: CPU time that the thread has used since it began.
  void start(Instant now, Nanoseconds cpu);
  /// Call after a reading. Returns how many of the next ones (at `next`, one period apart) to leave
  /// out.
  [[nodiscard]] std::size_t left_out(Instant now, Nanoseconds cpu, Instant next,
                                     Nanoseconds period);

  static constexpr std::size_t kMostLeftOut = 9;

 private:
  double cpu_share_;
  Instant at_;
  Nanoseconds cpu_{0};
  double debt_ns_ = 0.0;  // CPU time that exceeds the share
};

}  // namespace enprof
