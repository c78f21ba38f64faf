// A thread that computes and passes borders, on a counter's own clock.
#pragma once

#include "power/counter/border_reader.hpp"
#include "support/stepping_counter.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace enprof::testing {

/// A way to a SteppingCounter, which outlives it. Threads: that of the counter.
class SteppingPoint final : public CounterPoint {
 public:
  explicit SteppingPoint(SteppingCounter& counter) : counter_(&counter) {}
  [[nodiscard]] std::optional<std::uint64_t> read() const noexcept override {
    const auto value = counter_->read();
    return value ? std::optional{*value} : std::nullopt;
  }

 private:
  SteppingCounter* counter_;
};

/// Passes a border each `gap` for some time.
inline void compute(SteppingCounter& counter, BorderReader& reader, Nanoseconds duration,
                    Nanoseconds gap) {
  const Instant end = counter.clock().now() + duration;
  Instant due;
  for (Instant now = counter.clock().now(); now < end; now = counter.clock().now()) {
    if (now >= due) {
      due = reader.at_border(now);
    }
    counter.pass(gap);
  }
}

inline std::vector<BorderReading> taken_from(BorderReader& reader) {
  std::vector<BorderReading> readings;
  BorderReading reading;
  while (reader.take(reading)) {
    readings.push_back(reading);
  }
  return readings;
}

}  // namespace enprof::testing
