#include "cpu_load.hpp"

#include "base/counted.hpp"
#include "base/sleeper.hpp"
#include "bench/thread_cpus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <span>
#include <thread>
#include <utility>

namespace enprof::hardware {
namespace {

/// A few microseconds of work that the compiler cannot leave out.
void multiply_and_add(std::array<double, 16>& values) {
  for (int round = 0; round < 500; ++round) {
    for (double& value : values) {
      value = value * 0.999999 + 0.000001;
    }
  }
}

/// One thread's part: how late each half began.
std::vector<Nanoseconds> work(int cpu, Instant begin, Nanoseconds half, std::size_t count,
                              std::atomic<bool>& pinned) {
  if (cpu >= 0 && !bench::keep_thread_on(std::span(&cpu, 1))) {
    pinned = false;
  }
  std::vector<Nanoseconds> late;
  late.reserve(count + 1);
  std::array<double, 16> values{};
  values.fill(1.5);
  for (std::size_t index = 0; index < count; ++index) {
    const Instant due = begin + half * static_cast<std::int64_t>(index);
    if (index % 2 == 0) {
      monotonic_sleeper().sleep_until(due);
    }
    late.push_back(monotonic_clock().now() - due);
    if (index % 2 == 0) {
      while (monotonic_clock().now() < due + half) {
        multiply_and_add(values);
      }
    }
  }
  const Instant end = begin + half * static_cast<std::int64_t>(count);
  monotonic_sleeper().sleep_until(end);
  late.push_back(monotonic_clock().now() - end);
  static std::atomic<double> sink;
  sink = values[0];
  return late;
}

}  // namespace

std::vector<int> CpuLoad::usual_cpus() {
  std::vector<int> cpus = bench::allowed_cpus();
  if (cpus.size() > 1) {
    cpus.pop_back();
  }
  return cpus.empty() ? std::vector{-1} : cpus;  // -1: this system pins no threads
}

std::string CpuLoad::description() const {
  return fmt::format("{}, each pinned to a CPU", counted(cpus_.size(), "thread"));
}

Result<LoadCourse> CpuLoad::run(Instant begin, Nanoseconds half, std::size_t count) {
  std::atomic<bool> pinned = true;
  std::vector<std::vector<Nanoseconds>> late(cpus_.size());
  {
    std::vector<std::jthread> threads;
    threads.reserve(cpus_.size());
    for (std::size_t index = 0; index < cpus_.size(); ++index) {
      threads.emplace_back(
          [&, index] { late[index] = work(cpus_[index], begin, half, count, pinned); });
    }
  }
  if (!pinned) {
    return fail(ErrorCode::unavailable, "A thread could not be pinned to its CPU");
  }
  LoadCourse course;
  std::vector<Instant> edges;
  for (std::size_t edge = 0; edge <= count; ++edge) {
    Nanoseconds sum{0};
    for (const auto& of_thread : late) {
      sum += of_thread[edge];
      course.worst_edge = std::max(course.worst_edge, std::chrono::abs(of_thread[edge]));
    }
    edges.push_back(begin + half * static_cast<std::int64_t>(edge) +
                    sum / static_cast<std::int64_t>(late.size()));
  }
  for (std::size_t index = 0; index < count; ++index) {
    course.halves.push_back({.begin = edges[index], .end = edges[index + 1], .on = index % 2 == 0});
  }
  return course;
}

}  // namespace enprof::hardware
