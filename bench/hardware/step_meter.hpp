// How a counter steps: how often, and by how much.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace enprof::hardware {

/// A value of a sensor that can be read again and again.
struct WatchedValue {
  std::string name;                                    ///< "package-0", "gpu-0 energy"
  std::string unit;                                    ///< of the raw value: "uJ", "mJ", "mW"
  bool counts = true;                                  ///< a counter; else a power
  std::optional<std::uint64_t> wraps_at;               ///< where a counter begins again
  std::function<std::optional<std::uint64_t>()> read;  ///< empty: this reading failed
};

/// A change of the value: seen at `at`, not yet at `before`.
struct ValueStep {
  Instant before;
  Instant at;
  std::uint64_t value = 0;
};

struct StepFigures {
  std::size_t reads = 0;
  std::size_t failed_reads = 0;
  Nanoseconds watched{0};
  Nanoseconds read_time{0};  ///< median of one reading
  std::size_t steps = 0;
  // Between steps; empty where there are fewer than three. Steps that were seen late, as the thread
  // had no CPU, are left out of the periods.
  std::optional<Nanoseconds> period;  ///< median
  std::optional<Nanoseconds> period_p05;
  std::optional<Nanoseconds> period_p95;
  std::size_t late_steps = 0;
  std::optional<double> quantum;  ///< all values are multiples of it, rounded down to the unit
  std::uint64_t smallest_step = 0;
  std::uint64_t largest_step = 0;
  std::vector<double> periods_ms;  ///< at most kMostPeriods, for a histogram
};
inline constexpr std::size_t kMostPeriods = 2000;

/// Reads the value without a pause for this long. Uses one CPU meanwhile.
[[nodiscard]] StepFigures measure_steps(const WatchedValue& value, Nanoseconds duration);

/// What the values are multiples of: a binary fraction of a joule in microjoules, as Intel and AMD
/// count, or else the greatest common divisor of the differences. Empty with fewer than three
/// values.
[[nodiscard]] std::optional<double> find_quantum(const std::vector<std::uint64_t>& values,
                                                 bool in_microjoules);

}  // namespace enprof::hardware
