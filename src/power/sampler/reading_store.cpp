#include "power/sampler/reading_store.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kQuantities = static_cast<std::size_t>(SensorQuantity::thermal_pressure) + 1;

/// Whether the highest value matters more than the latest.
bool is_alarming(SensorQuantity quantity) {
  return quantity == SensorQuantity::temperature_celsius ||
         quantity == SensorQuantity::throttle_reasons ||
         quantity == SensorQuantity::thermal_pressure;
}

}  // namespace

bool ReadingStore::add(const SensorReading& reading) {
  if (reading.domain >= domain_count_ ||
      static_cast<std::size_t>(reading.quantity) >= kQuantities || !std::isfinite(reading.value)) {
    return false;
  }
  if (readings_.size() >= capacity_) {
    thin();
  }
  readings_.push_back(reading);
  return true;
}

void ReadingStore::thin() {
  // For each series, the index in the kept readings of the one that waits for its neighbour.
  std::vector<std::optional<std::size_t>> waiting(domain_count_ * kQuantities);
  std::vector<SensorReading> kept;
  kept.reserve(capacity_);
  for (const SensorReading& reading : readings_) {
    auto& first =
        waiting[reading.domain * kQuantities + static_cast<std::size_t>(reading.quantity)];
    if (!first) {
      first = kept.size();
      kept.push_back(reading);
      continue;
    }
    if (!is_alarming(reading.quantity) || reading.value >= kept[*first].value) {
      kept[*first] = reading;
    }
    first.reset();
  }
  readings_ = std::move(kept);
}

std::vector<SensorReading> ReadingStore::between(Instant begin, Instant end) const {
  std::vector<SensorReading> result;
  std::ranges::copy_if(readings_, std::back_inserter(result), [&](const SensorReading& reading) {
    return reading.at >= begin && reading.at <= end;
  });
  std::ranges::stable_sort(result, {}, &SensorReading::at);
  return result;
}

void ReadingStore::forget_before(Instant instant) {
  std::erase_if(readings_, [&](const SensorReading& reading) { return reading.at < instant; });
}

}  // namespace enprof
