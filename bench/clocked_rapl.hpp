// A RAPL counter that steps by itself, however busy the machine is.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"
#include "enprof/power/power_monitor.hpp"

#include "power/rapl/perf_events.hpp"
#include "support/temp_dir.hpp"

#include <atomic>
#include <cstdint>
#include <memory>

namespace enprof::bench {

/// A package whose counter steps every 0.977 ms. Each read is answered from the clock, so that no
/// thread has to step it, and also reads a file, so that it takes as long as one of sysfs. Its
/// power is known at each instant: 45 W, and two sines of 15 W at 3.1 Hz and of 8 W at 17.3 Hz.
/// Threads: any may read; the rest from one.
class ClockedRapl {
 public:
  ClockedRapl();

  /// For PowerMonitor::open("rapl", …); refers to this object.
  [[nodiscard]] PowerEnvironment environment() const;
  /// What the package really used.
  [[nodiscard]] static Joules energy_between(Instant begin, Instant end);
  /// How often the counter was read by threads that compute, and by others.
  [[nodiscard]] std::uint64_t reads_at_borders() const { return counts_->at_borders; }
  [[nodiscard]] std::uint64_t reads() const { return counts_->by_source; }
  /// What one read takes; measured now.
  [[nodiscard]] Nanoseconds time_of_read() const;

  static constexpr Nanoseconds kStep{976'562};

 private:
  struct Counts {
    std::atomic<std::uint64_t> at_borders = 0;
    std::atomic<std::uint64_t> by_source = 0;
  };
  class Register;
  class Point;
  class Input;
  class Events;

  testing::TempDir dir_;
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
  std::shared_ptr<const Register> register_;
  std::unique_ptr<PerfEvents> events_;
};

}  // namespace enprof::bench
