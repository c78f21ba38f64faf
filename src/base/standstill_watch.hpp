// Notices that this program has stood still.
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

/// A time in which no thread of this program ran.
struct Standstill {
  Instant begin;  ///< up to a period of the watch early
  Instant end;

  friend bool operator==(const Standstill&, const Standstill&) = default;
};

/// How much of [begin, end] the program stood still.
[[nodiscard]] Nanoseconds time_stood_still(const std::vector<Standstill>& standstills,
                                           Instant begin, Instant end);

/// A program that is stopped (Ctrl-Z, SIGSTOP, a debugger, a container that is paused) goes on
/// later as if nothing had been, but the clock went on, and so did the sensors. A thread looks at
/// the clock every kPeriod: where it comes far too late, and the process has used next to no CPU
/// time meanwhile compared with the time before, the program stood still. A thread that is late
/// because others of its own process had the CPUs is none.
///
/// Threads: start, stop and destruction from one; look and found from any.
class StandstillWatch {
 public:
  /// The clock outlives the watch.
  explicit StandstillWatch(const Clock& clock = monotonic_clock(),
                           std::function<Nanoseconds()> cpu_time = process_cpu_time)
      : clock_(clock), cpu_time_(std::move(cpu_time)) {}
  StandstillWatch(const StandstillWatch&) = delete;
  StandstillWatch& operator=(const StandstillWatch&) = delete;

  /// Begins to watch. Where no thread can be had, the log says so, and nothing is found.
  void start();
  void stop();

  /// Looks now, and not only when the thread does: who reads sensors finds out before.
  void look();
  /// What was found since start, by time, this moment included.
  [[nodiscard]] std::vector<Standstill> found();

  static constexpr Nanoseconds kPeriod = std::chrono::milliseconds{50};
  /// A shorter one may be a machine that is busy.
  static constexpr Nanoseconds kShortest = std::chrono::milliseconds{300};
  /// More than these are not told apart.
  static constexpr std::size_t kMost = 1024;

 private:
  struct Beat {
    Instant at;
    Nanoseconds cpu{0};
  };

  const Clock& clock_;
  std::function<Nanoseconds()> cpu_time_;

  std::mutex mutex_;  // guards what follows
  std::optional<Beat> last_;
  double usual_ = 0.0;  // CPUs that the process used lately
  std::vector<Standstill> found_;

  PeriodicThread thread_;
};

}  // namespace enprof
