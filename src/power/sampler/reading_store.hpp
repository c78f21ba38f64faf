// What sensors said beside energy.
#pragma once

#include "enprof/model/sensor_reading.hpp"

#include <cstddef>
#include <vector>

namespace enprof {

/// Readings of several domains in the order in which they came, in bounded memory: where it is
/// full, of each two neighbours of one domain and quantity one goes: the colder, the less
/// throttled, else the older. So a long run keeps its course, coarser, and its extremes. Threads:
/// one at a time.
class ReadingStore {
 public:
  explicit ReadingStore(std::size_t domain_count, std::size_t capacity = kCapacity)
      : domain_count_(domain_count), capacity_(capacity) {}

  /// False where it is none: of an unknown domain or quantity, or no finite number.
  [[nodiscard]] bool add(const SensorReading& reading);
  /// Those at or after `begin` and at or before `end`, by time.
  [[nodiscard]] std::vector<SensorReading> between(Instant begin, Instant end) const;
  void forget_before(Instant instant);
  void clear() { readings_.clear(); }
  [[nodiscard]] std::size_t size() const { return readings_.size(); }

  static constexpr std::size_t kCapacity = 1U << 16U;  ///< 2 MB

 private:
  void thin();

  std::size_t domain_count_;
  std::size_t capacity_;
  std::vector<SensorReading> readings_;
};

}  // namespace enprof
