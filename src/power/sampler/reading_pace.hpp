// How often a counter may be read, if reading it is to cost no more than a share of a CPU.
#pragma once

#include "enprof/base/clock.hpp"

#include <cstddef>

namespace enprof {

/// Keeps account of the CPU time that readings take, and leaves some out where it would be more
/// than a share of the time that goes by. On a machine of one's own a reading takes some 20 µs, and
/// none is left out; in a virtual machine whose CPUs all compute it takes up to 90 µs.
///
/// What a costly reading (a search for a counter's step) used too much is saved by those after it:
/// kMostLeftOut are left out between two, and the rest of the debt is kept.
///
/// Threads: one at a time.
class ReadingPace {
 public:
  explicit ReadingPace(double cpu_share) : cpu_share_(cpu_share) {}

  /// Begins anew. `cpu` is what the thread has used, ever.
  void start(Instant now, Nanoseconds cpu);
  /// After a reading: how many of the next, each a period apart from `next` on, are to be left out.
  [[nodiscard]] std::size_t left_out(Instant now, Nanoseconds cpu, Instant next,
                                     Nanoseconds period);

  static constexpr std::size_t kMostLeftOut = 9;

 private:
  double cpu_share_;
  Instant at_;
  Nanoseconds cpu_{0};
  double debt_ns_ = 0.0;  // CPU time beyond the share
};

}  // namespace enprof
