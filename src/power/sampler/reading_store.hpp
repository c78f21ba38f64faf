// Keeps the sensors' readings other than energy.
#pragma once

#include "enprof/model/sensor_reading.hpp"

#include <cstddef>
#include <vector>

namespace enprof {

/// Readings of several domains in the order in which they arrived, in limited memory. When it is
/// full, one of each two neighbouring readings of a domain and quantity is dropped: the colder or
/// less throttled one, else the older one. So a long run keeps a coarser course and its extremes.
/// Threads: one at a time.
class ReadingStore {
 public:
  explicit ReadingStore(std::size_t domain_count, std::size_t capacity = kCapacity)
      : domain_count_(domain_count), capacity_(capacity) {}

  /// False if the reading is invalid: an unknown domain or quantity, or not a finite number.
  [[nodiscard]] bool add(const SensorReading& reading);
  /// The readings in [begin, end], by time.
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
