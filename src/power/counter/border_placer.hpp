// Finds out when a counter got the values that were read at borders.
#pragma once

#include "enprof/base/clock.hpp"

#include "power/counter/border_reader.hpp"
#include "power/counter/step_lock.hpp"

#include <cstdint>
#include <functional>
#include <optional>

namespace enprof {

/// The owner's side of a BorderReader: takes its readings in the order of time and places each on
/// the grid of the leading counter's steps, which a StepLock found and knows. Two readings around a
/// step, close together, keep the grid.
///
/// A reading is placed where it is clear which step was the last before it: it lies away from the
/// predicted steps, or its value is another one than that of a reading just before. Others are left
/// out, as the next one has their energy too.
///
/// Threads: one at a time.
class BorderPlacer {
 public:
  struct Counts {
    std::uint64_t placed = 0;
    std::uint64_t unclear = 0;   ///< too close to a step, or the grid was not known well enough
    std::uint64_t brackets = 0;  ///< steps of which readings told when they came
    std::uint64_t misses = 0;    ///< no step where one was predicted
    std::uint64_t failed = 0;    ///< could not be read
  };
  /// When the leading counter had its last step before a reading.
  struct Step {
    Instant at;
    Nanoseconds error{0};  ///< standard deviation
  };
  using Use = std::function<void(const BorderReading&, const Step&)>;

  /// Takes all readings and hands over those that it can place. Those from before `since` are older
  /// than what the owner has read itself, and are left out.
  void place(BorderReader& reader, StepLock& lock, Instant since, const Use& use);
  /// Takes all readings and leaves them out: the machine slept, and it is not known which of them
  /// were before that.
  void discard(BorderReader& reader) noexcept;
  /// Tells the reader what is known of the steps from now on, for this long.
  /// `lag`: the other counters step up to so much later than the leading one.
  static void publish(BorderReader& reader, const StepLock& lock, Instant now, Nanoseconds ahead,
                      Nanoseconds lag = Nanoseconds{0});

  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  [[nodiscard]] std::optional<Step> step_before(const BorderReading& reading, StepLock& lock);
  [[nodiscard]] std::optional<Step> compare(const BorderReading& reading, StepLock& lock);

  void judge_same(const BorderReading& reading, StepLock& lock);

  std::optional<BorderReading> last_;  // in which the leading counter was read
  std::optional<Instant> same_since_;  // it has been read with this value, again and again, since
  Counts counts_;
};

}  // namespace enprof
