// Notices that this program was stopped for a while.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/periodic_thread.hpp"

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace enprof {

/// CPU time that all threads of this process have used since it began.
[[nodiscard]] Nanoseconds process_cpu_time() noexcept;

/// A time in which no thread of this program ran: a standstill.
struct Standstill {
  Instant begin;  ///< at most one period of the watch too early
  Instant end;

  friend bool operator==(const Standstill&, const Standstill&) = default;
};

/// For how much of [begin, end] the program stood still.
[[nodiscard]] Nanoseconds time_stood_still(const std::vector<Standstill>& standstills,
                                           Instant begin, Instant end);

/// When a program is stopped (Ctrl-Z, SIGSTOP, a debugger, a paused container), it does not notice:
/// but the clock and the sensors go on. A thread reads the clock every kPeriod. If it wakes up far
/// too late, and the process has used almost no CPU time meanwhile compared with the time before,
/// the program stood still. A thread that is late because other threads of the process had the CPUs
/// is not a standstill.
///
///
/// Threads: start, stop and destruction from one; check and found from any.
class StandstillWatch {
 public:
  /// The clock outlives the watch.
  explicit StandstillWatch(const Clock& clock = monotonic_clock(),
                           std::function<Nanoseconds()> cpu_time = process_cpu_time)
      : clock_(clock), cpu_time_(std::move(cpu_time)) {}
  StandstillWatch(const StandstillWatch&) = delete;
  StandstillWatch& operator=(const StandstillWatch&) = delete;

  /// Begins to watch. If no thread can be started, this is logged, and no standstill is found.
  void start();
  void stop();

  /// Checks now instead of waiting for the thread: a caller that reads sensors needs to know
  /// before.
  void check();
  /// The standstills since start(), in order of time. Checks first, as check() does.
  [[nodiscard]] std::vector<Standstill> found();

  static constexpr Nanoseconds kPeriod = std::chrono::milliseconds{50};
  /// A shorter delay may be caused by a busy machine.
  static constexpr Nanoseconds kShortest = std::chrono::milliseconds{300};
  /// At most this many are kept.
  static constexpr std::size_t kMost = 1024;

 private:
  struct Beat {
    Instant at;
    Nanoseconds cpu{0};
  };

  const Clock& clock_;
  std::function<Nanoseconds()> cpu_time_;

  std::mutex mutex_;  // guards the members below
  std::optional<Beat> last_;
  double usual_ = 0.0;  // CPUs that the process used recently
  std::vector<Standstill> found_;

  PeriodicThread thread_;
};

}  // namespace enprof
