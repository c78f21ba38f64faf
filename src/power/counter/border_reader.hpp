// Reads counters on the thread that computes, between two operations.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/ring_buffer.hpp"
#include "base/shared_memory.hpp"
#include "power/counter/counter_point.hpp"
#include "power/counter/read_trust.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// The counters that step together were read once, or only the first of them.
struct BorderReading {
  static constexpr std::size_t kMostCounters = 8;

  Instant before;  ///< the reads lie between these two
  Instant after;
  std::array<std::uint64_t, kMostCounters> values{};
  std::uint8_t read = 0;  ///< a bit for each counter that was read

  [[nodiscard]] bool has(std::size_t counter) const { return ((read >> counter) & 1U) != 0; }
};

/// A thread that computes passes a border between two operations every few ten microseconds, and
/// can read a counter there for the price of the read: nothing has to be woken up, and on a machine
/// whose CPUs all compute no reading comes late. Where it is known when the counter steps, one read
/// at any border carries the value of the last step. So this reads at the first border after a
/// step, as often as asked, or as its share of a CPU allows. A border too close to a step to tell
/// whether it came before or after is left out, and the next one is used.
///
/// Around some of the steps it reads at each border, until the value changes: between two borders
/// the step came, from which its owner knows when the next ones are due (BorderPlacer). Without
/// that knowledge it searches: reads at each border for some steps' time, and then pauses.
///
/// Readings go through a ring; the owner takes them when it likes. A full ring drops them.
///
/// A read that hangs holds the thread up, and nothing can end it. So the owner publishes a plan
/// only where the counter has always been quick to read (ReadTrust). After a read that took
/// kHangingRead nothing is read any more, until the owner has taken note and publishes again. While
/// the owner itself has been in a read for so long, nothing is read either.
///
/// Threads: the owner publishes and takes; one other thread, which has claimed the reader, passes
/// borders and neither waits nor allocates.
class BorderReader {
 public:
  /// What the owner knows of the counter's steps.
  struct Plan {
    enum class Mode : std::uint8_t {
      off,     ///< nothing is to be read
      search,  ///< it is not known when it steps
      steps,   ///< it is known
    };
    Mode mode = Mode::off;
    Instant step;              ///< one of its steps
    Nanoseconds period{0};     ///< between two steps
    Nanoseconds error{0};      ///< standard deviation of a step's prediction
    Nanoseconds lag{0};        ///< so much later the last of the other counters steps
    bool is_doubtful = false;  ///< each step that is used is to be watched, not only some
  };
  struct Pace {
    /// Between two readings; zero: as often as the share allows, but not each step.
    Nanoseconds interval{0};
    double cpu_share = kCpuShare;  ///< of one CPU, at most
  };

  /// The first point leads: it is the one whose steps are known. Null for a counter that cannot be
  /// read on this thread. The clock outlives the reader.
  BorderReader(std::vector<std::shared_ptr<const CounterPoint>> points, const Clock& clock);
  /// For the thread that computes in another process: `memory` is that of the owner's reader, whose
  /// points these are. The owner's reader must be claimed in its own process meanwhile.
  BorderReader(std::vector<std::shared_ptr<const CounterPoint>> points, const Clock& clock,
               SharedMemory memory);

  /// What the second constructor needs. Empty if the system has no memory to share.
  [[nodiscard]] const std::optional<SharedMemory>& memory() const noexcept { return memory_; }
  [[nodiscard]] static std::size_t memory_bytes() noexcept;
  [[nodiscard]] std::span<const std::shared_ptr<const CounterPoint>> points() const noexcept {
    return points_;
  }

  // ---- the owner
  void publish(const Plan& plan) noexcept;
  void set_pace(const Pace& pace) noexcept;
  /// The next reading; false if there is none.
  [[nodiscard]] bool take(BorderReading& reading) noexcept { return ring_.pop(reading); }
  /// Readings that found no room.
  [[nodiscard]] std::size_t dropped() const noexcept { return ring_.dropped(); }
  /// What a read of one counter takes, where that is too much for reading here: then it pauses, and
  /// tries again each second.
  [[nodiscard]] std::optional<Nanoseconds> too_slow() const noexcept;
  /// How long a read hung. Nothing is read until forget_hang().
  [[nodiscard]] std::optional<Nanoseconds> hang() const noexcept;
  void forget_hang() noexcept { shared_->hung.store(0, std::memory_order_release); }
  /// The owner begins to read counters of the same driver, or has ended.
  void begin_own_read(Instant now) noexcept {
    shared_->own_read.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  void end_own_read() noexcept { shared_->own_read.store(kNoRead, std::memory_order_relaxed); }

  // ---- the thread that computes
  /// Makes the calling thread the one that passes borders; false if there is one. Where the thread
  /// is another process's, its owner's process claims and releases.
  [[nodiscard]] bool claim() noexcept;
  void release() noexcept;
  /// The thread is at a border. Returns when the next call is of use.
  [[nodiscard]] Instant at_border(Instant now) noexcept { return now < due_ ? due_ : act(now); }

  /// Of one CPU, for all reads of one reader.
  static constexpr double kCpuShare = 0.0006;
  /// Steps between two readings, at least.
  static constexpr Nanoseconds::rep kFewestSteps = 2;
  /// Where reading less often than this would be needed to keep the share, it pauses.
  static constexpr Nanoseconds kLongestInterval = std::chrono::milliseconds{20};
  /// How exactly a step must be predicted: to this part of a period.
  static constexpr int kPredictable = 12;
  /// Borders closer to a predicted step than so many standard deviations do not tell on which side
  /// of it they are.
  static constexpr int kSigmas = 3;
  static constexpr Nanoseconds kLeastMargin = std::chrono::microseconds{5};
  [[nodiscard]] static Nanoseconds margin_of(Nanoseconds error) noexcept {
    return kSigmas * error > kLeastMargin ? kSigmas * error : kLeastMargin;
  }

 private:
  /// The watch of one step: reads at each border around it.
  struct Watch {
    std::optional<std::uint64_t> value;  // of the first read
    Instant last;                        // border at which it was read
  };

  static constexpr Instant::rep kNoRead = Instant::max().time_since_epoch().count();

  [[nodiscard]] Instant act(Instant now) noexcept;
  /// Whether a read that begins now may hang, as another one did or does.
  [[nodiscard]] bool may_hang(Instant now) const noexcept;
  void load_plan() noexcept;
  void search(Instant now) noexcept;
  void watch(Instant now) noexcept;
  void read_edge(Instant now) noexcept;
  void plan_next(Instant step) noexcept;
  [[nodiscard]] Instant last_step(Instant now) const noexcept;
  [[nodiscard]] Nanoseconds reach() const noexcept;
  [[nodiscard]] Nanoseconds::rep steps_between_edges() noexcept;
  /// Reads the first `count` counters; the first one's value, if it could be read.
  std::optional<std::uint64_t> read(Instant now, std::size_t count) noexcept;

  /// What the owner and the thread share, in memory that may belong to two processes.
  struct Shared {
    // Written by the owner. The version is odd while it writes.
    std::atomic<std::uint32_t> version{0};
    std::atomic<Plan::Mode> mode{Plan::Mode::off};
    std::atomic<Instant::rep> step{0};
    std::atomic<Nanoseconds::rep> period{0};
    std::atomic<Nanoseconds::rep> error{0};
    std::atomic<Nanoseconds::rep> lag{0};
    std::atomic<bool> is_doubtful{false};
    std::atomic<Nanoseconds::rep> interval{0};
    std::atomic<double> cpu_share{kCpuShare};

    std::atomic<bool> is_claimed{false};
    std::atomic<Nanoseconds::rep> too_slow{0};    // zero: it is not
    std::atomic<Nanoseconds::rep> hung{0};        // zero: no read did
    std::atomic<Instant::rep> own_read{kNoRead};  // since when the owner reads
  };
  static_assert(std::atomic<double>::is_always_lock_free);  // so it works between processes
  struct alignas(RingBuffer<BorderReading>::kAlignment) Line {
    std::array<std::byte, RingBuffer<BorderReading>::kAlignment> bytes;
  };

  [[nodiscard]] static std::optional<SharedMemory> make_memory();
  [[nodiscard]] std::span<std::byte> bytes() noexcept;
  [[nodiscard]] std::span<std::byte> ring_bytes() noexcept;
  [[nodiscard]] static std::size_t shared_bytes() noexcept;

  /// Everything of the thread that computes, as before its first border.
  void begin() noexcept;

  const std::vector<std::shared_ptr<const CounterPoint>> points_;
  const Clock* clock_;
  bool is_owners_;  // the object in the owner's process
  std::optional<SharedMemory> memory_;
  std::vector<Line> own_;  // instead of shared memory, where there is none
  Shared* shared_;         // the ring follows it
  RingBuffer<BorderReading> ring_;

  // Used by the thread that computes only.
  Instant due_;
  Plan plan_;
  std::uint32_t plan_version_ = 0;
  Instant target_;                   // the step after which to read next
  std::optional<Watch> watch_;       // of the target
  bool is_to_watch_ = false;         // the target
  std::optional<Instant> searched_;  // since when
  Nanoseconds search_pause_{0};
  Nanoseconds gap_{0};   // between two borders, as seen lately
  Nanoseconds cost_{0};  // of reading one counter
  Nanoseconds took_{0};  // the last one
  unsigned reads_ = 0;
  unsigned edges_ = 0;
};

}  // namespace enprof
