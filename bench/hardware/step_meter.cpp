#include "step_meter.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace enprof::hardware {
namespace {

/// A step that was seen this long after a reading without it has no known time.
constexpr Nanoseconds kLate = std::chrono::microseconds{100};

template <class T>
T quantile(std::vector<T> values, double part) {
  std::ranges::sort(values);
  const double place = part * static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::llround(place))];
}

std::uint64_t difference(std::uint64_t from, std::uint64_t to) {
  return to > from ? to - from : from - to;
}

}  // namespace

std::optional<double> find_quantum(const std::vector<std::uint64_t>& values, bool in_microjoules) {
  if (values.size() < 3) {
    return std::nullopt;
  }
  constexpr std::size_t kEnough = 20;  // fewer may fit a small quantum by chance
  if (in_microjoules && values.size() >= kEnough) {
    constexpr int kCoarsest = 3;  // 1/8 J, as Linux shows some servers' memory: 2^-16 J is usual
    constexpr int kFinest = 18;   // below 4 µJ, whole microjoules show nothing
    for (int power = kCoarsest; power <= kFinest; ++power) {
      const double quantum = std::ldexp(1e6, -power);
      const bool fits = std::ranges::all_of(values, [&](std::uint64_t value) {
        const auto exact = static_cast<double>(value);
        const double multiple = std::round(exact / quantum) * quantum;
        const double up = std::ceil(exact / quantum) * quantum;
        return std::abs(multiple - exact) <= 0.5 || up - exact < 1.0;  // rounded, or cut off
      });
      if (fits) {
        return quantum;
      }
    }
  }
  std::uint64_t divisor = 0;
  for (std::size_t index = 1; index < values.size(); ++index) {
    divisor = std::gcd(divisor, difference(values[index - 1], values[index]));
  }
  return divisor == 0 ? std::nullopt : std::optional{static_cast<double>(divisor)};
}

StepFigures measure_steps(const WatchedValue& value, Nanoseconds duration) {
  StepFigures figures;
  std::vector<ValueStep> steps;
  std::vector<Nanoseconds> read_times;
  constexpr std::size_t kMostReadTimes = 100'000;
  const Instant begin = monotonic_clock().now();
  std::optional<std::uint64_t> last;
  Instant last_read = begin;
  for (Instant now = begin; now - begin < duration;) {
    const auto read = value.read();
    const Instant after = monotonic_clock().now();
    ++figures.reads;
    if (read_times.size() < kMostReadTimes) {
      read_times.push_back(after - now);
    }
    if (!read) {
      ++figures.failed_reads;
    } else {
      if (last && *read != *last) {
        steps.push_back({.before = last_read, .at = after, .value = *read});
        const std::uint64_t size = *read < *last && value.counts && value.wraps_at
                                       ? *value.wraps_at - *last + *read
                                       : difference(*last, *read);
        figures.smallest_step = steps.size() == 1 ? size : std::min(figures.smallest_step, size);
        figures.largest_step = std::max(figures.largest_step, size);
      }
      last = read;
      last_read = now;
    }
    now = after;
  }
  figures.watched = monotonic_clock().now() - begin;
  figures.read_time = quantile(read_times, 0.5);
  figures.steps = steps.size();
  // A reading takes long itself where it is a call into a driver; and a slow counter's steps need
  // not be known as well.
  Nanoseconds late = kLate + 4 * figures.read_time;
  if (steps.size() >= 3) {
    std::vector<Nanoseconds> apart;
    for (std::size_t index = 1; index < steps.size(); ++index) {
      apart.push_back(steps[index].at - steps[index - 1].at);
    }
    late = std::max(late, quantile(apart, 0.5) / 20);
  }
  std::vector<Nanoseconds> periods;
  std::vector<std::uint64_t> values;
  for (std::size_t index = 0; index < steps.size(); ++index) {
    values.push_back(steps[index].value);
    if (steps[index].at - steps[index].before > late) {
      ++figures.late_steps;
    } else if (index > 0 && steps[index - 1].at - steps[index - 1].before <= late) {
      periods.push_back(steps[index].at - steps[index - 1].at);
    }
  }
  if (periods.size() >= 2) {
    figures.period = quantile(periods, 0.5);
    figures.period_p05 = quantile(periods, 0.05);
    figures.period_p95 = quantile(periods, 0.95);
  }
  figures.quantum = find_quantum(values, value.unit == "uJ");
  for (std::size_t index = 0; index < std::min(periods.size(), kMostPeriods); ++index) {
    figures.periods_ms.push_back(to_ms(periods[index]));
  }
  return figures;
}

}  // namespace enprof::hardware
