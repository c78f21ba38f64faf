#include "energy_comparison.hpp"

#include "base/sleeper.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <utility>

namespace enprof::hardware {
namespace {

constexpr Nanoseconds kInterval = std::chrono::milliseconds{5};
constexpr Nanoseconds kHalf = std::chrono::seconds{1};

struct Reading {
  Instant at;
  std::uint64_t value = 0;
};

/// Mean power between the first and the last step of a counter, or of a power's trapezia.
std::optional<Watts> mean_power(const WatchedValue& value, const std::vector<Reading>& readings) {
  if (readings.size() < 2) {
    return std::nullopt;
  }
  if (!value.counts) {
    double joules = 0.0;
    for (std::size_t index = 1; index < readings.size(); ++index) {
      joules += 0.5e-3 * static_cast<double>(readings[index].value + readings[index - 1].value) *
                seconds(readings[index].at - readings[index - 1].at);
    }
    return Joules{joules} / (readings.back().at - readings.front().at);
  }
  // A counter is as old as its step: so from a step to a step.
  std::optional<Reading> first;
  std::optional<Reading> last;
  for (std::size_t index = 1; index < readings.size(); ++index) {
    if (readings[index].value != readings[index - 1].value) {
      if (!first) {
        first = readings[index];
      }
      last = readings[index];
    }
  }
  if (!first || first->at == last->at || last->value < first->value) {
    return std::nullopt;
  }
  const double unit = value.unit == "uJ" ? 1e-6 : 1e-3;
  return Joules{static_cast<double>(last->value - first->value) * unit} / (last->at - first->at);
}

}  // namespace

Result<std::vector<MeasuredEnergy>> compare_energies(const std::vector<WatchedValue>& values,
                                                     SquareLoad* load, Nanoseconds duration) {
  std::vector<std::vector<Reading>> readings(values.size());
  std::atomic<bool> done = false;
  Result<void> loaded;
  const Instant begin = monotonic_clock().now();
  {
    const std::jthread reader([&] {
      for (Instant due = begin; !done && due - begin < duration; due += kInterval) {
        monotonic_sleeper().sleep_until(due);
        for (std::size_t index = 0; index < values.size(); ++index) {
          const Instant before = monotonic_clock().now();
          if (const auto value = values[index].read()) {
            readings[index].push_back(
                {.at = before + (monotonic_clock().now() - before) / 2, .value = *value});
          }
        }
      }
    });
    if (load != nullptr) {  // in this thread: a CUDA context belongs to it
      const auto count = static_cast<std::size_t>(duration / kHalf);
      if (const auto course = load->run(begin, kHalf, std::max<std::size_t>(count, 1)); !course) {
        loaded = std::unexpected(course.error());
        done = true;
      }
    }
  }
  if (!loaded) {
    return std::unexpected(std::move(loaded.error()));
  }
  std::vector<MeasuredEnergy> result;
  for (std::size_t index = 0; index < values.size(); ++index) {
    if (const auto power = mean_power(values[index], readings[index])) {
      result.push_back({.name = values[index].name,
                        .energy = *power * duration,
                        .readings = readings[index].size()});
    }
  }
  return result;
}

}  // namespace enprof::hardware
