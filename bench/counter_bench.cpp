// Measures the error of a reading's time stamp: its distance from the instant at which the counter
// got its value. The counter is a number that a thread steps every 0.976 ms ± 10 µs, like RAPL's;
// the thread records when. Reading it also reads a file, so that it takes as long as a real read.
// Readings are made every 10 ms: locked to the step, and, as the control, stamped when read.
#include "counter_bench.hpp"

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"
#include "base/thread_setup.hpp"
#include "figure.hpp"
#include "power/counter/counter_file.hpp"
#include "power/counter/step_lock.hpp"
#include "support/temp_dir.hpp"
#include "thread_cpus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <pthread.h>
#include <random>
#include <sched.h>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

namespace enprof::bench {
namespace {

constexpr Nanoseconds kPeriod{976'562};
constexpr Nanoseconds kJitter = std::chrono::microseconds{10};
constexpr Nanoseconds kInterval = std::chrono::milliseconds{10};
constexpr int kReadings = 600;
constexpr std::size_t kMostSteps = 60'000;

/// Gives the counter and its reader a CPU each, if there are two: real hardware takes no CPU time
/// from us. False if the system refuses.
bool pin_to_cpu(std::span<const int> cpus, std::size_t which) {
  return cpus.size() < 2 || keep_thread_on(cpus.subspan(which, 1));
}

/// Threads: one steps; another reads. The results may be read after stop().
class SteppedCounter final : public CounterInput {
 public:
  explicit SteppedCounter(std::span<const int> cpus)
      : cpus_(cpus), file_(dir_.write("energy_uj", "00000000000000000000\n")) {
    steps_.reserve(kMostSteps);
    thread_ = std::thread([this] { step(); });
  }
  ~SteppedCounter() override { stop(); }

  [[nodiscard]] Result<std::uint64_t> read() override {
    const auto value = file_.read();
    return value ? value_.load() : value;
  }
  void stop() {
    stopped_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  /// How much the steps' distances exceed the period, in µs, the worst per cent left out. Call
  /// after stop().
  [[nodiscard]] double jitter_p99() const {
    std::vector<double> apart;
    apart.reserve(steps_.size());
    for (std::size_t step = 1; step < steps_.size(); ++step) {
      apart.push_back(std::abs(to_ms(steps_[step] - steps_[step - 1] - kPeriod)) * 1e3);
    }
    std::ranges::sort(apart);
    return apart.empty() ? 0 : apart[apart.size() * 99 / 100];
  }
  /// Whether it had a CPU of its own. Call after stop().
  [[nodiscard]] bool was_undisturbed() const { return has_cpu_; }
  /// When the counter got the value. Call after stop().
  [[nodiscard]] Instant stepped_at(std::uint64_t value) const { return steps_.at(value - 1); }

 private:
  void step() {
    set_up_sampling_thread("bench-counter");
    has_cpu_ = pin_to_cpu(cpus_, 0);
    // Hardware does not wait for a CPU. If realtime priority is refused, a busy machine makes the
    // counter irregular, which counter.step_jitter_p99 shows.
    sched_param priority{};
    priority.sched_priority = 10;
    static_cast<void>(pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority));
    constexpr Nanoseconds kEarly = std::chrono::microseconds{100};
    std::mt19937_64 random{1};
    std::uniform_int_distribution<Nanoseconds::rep> jitter(-kJitter.count(), kJitter.count());
    Instant due = monotonic_clock().now();
    while (!stopped_ && steps_.size() < kMostSteps) {
      due += kPeriod;
      const Instant instant = due + Nanoseconds{jitter(random)};
      monotonic_sleeper().sleep_until(instant - kEarly);
      Instant now = monotonic_clock().now();
      while (now < instant) {
        now = monotonic_clock().now();
      }
      steps_.push_back(now);
      value_.store(steps_.size());
    }
  }

  std::span<const int> cpus_;
  testing::TempDir dir_;
  CounterFile file_;
  std::atomic<std::uint64_t> value_ = 0;
  std::vector<Instant> steps_;
  bool has_cpu_ = false;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

struct Stamp {
  std::uint64_t value;
  Instant at;
};

struct Stamps {
  bool has_cpu = false;
  std::vector<Stamp> locked;
  std::vector<Stamp> naive;
  std::size_t missed = 0;
  StepLock::Counts counts;
  Nanoseconds claimed{0};
  Nanoseconds took{0};
};

Stamps read_stamps(SteppedCounter& counter, std::span<const int> cpus) {
  set_up_sampling_thread("bench-reader");
  Stamps stamps{.has_cpu = pin_to_cpu(cpus, 1)};
  StepLock lock({.period = kPeriod}, monotonic_clock(), monotonic_sleeper());
  const Instant begin = monotonic_clock().now();
  Instant due = begin;
  for (int reading = 0; reading < kReadings; ++reading) {
    due += kInterval;
    monotonic_sleeper().sleep_until(due);
    if (const auto value = counter.read(); value && *value > 0) {
      stamps.naive.push_back({.value = *value, .at = monotonic_clock().now()});
    }
    const auto locked = lock.read(counter);
    if (locked.locked) {
      stamps.locked.push_back({.value = *locked.value, .at = locked.at});
    } else {
      ++stamps.missed;
    }
  }
  stamps.took = monotonic_clock().now() - begin;
  stamps.counts = lock.counts();
  stamps.claimed = lock.stamp_error();
  return stamps;
}

void figures_of(std::string_view name, const SteppedCounter& counter,
                std::span<const Stamp> stamps) {
  std::vector<double> errors;
  double squares = 0;
  for (const Stamp& stamp : stamps) {
    const double error = to_ms(stamp.at - counter.stepped_at(stamp.value)) * 1e3;
    errors.push_back(std::abs(error));
    squares += error * error;
  }
  std::ranges::sort(errors);
  figure(fmt::format("counter.{}_median", name), median(errors), "us");
  figure(fmt::format("counter.{}_p99", name), errors[errors.size() * 99 / 100], "us");
  figure(fmt::format("counter.{}_rms", name),
         std::sqrt(squares / static_cast<double>(errors.size())), "us");
}

}  // namespace

bool bench_counter() {
  const std::vector<int> cpus = allowed_cpus();
  SteppedCounter counter(cpus);
  Stamps stamps;
  std::thread reader([&] { stamps = read_stamps(counter, cpus); });
  reader.join();
  counter.stop();
  if (!counter.was_undisturbed() || !stamps.has_cpu) {
    std::fputs("enprof_bench: cannot give the counter and its reader a CPU each\n", stderr);
    return false;
  }
  if (stamps.locked.empty() || stamps.naive.empty()) {
    std::fputs("enprof_bench: the simulated counter was not seen to step\n", stderr);
    return false;
  }
  figures_of("stamp_locked", counter, stamps.locked);
  figures_of("stamp_naive", counter, stamps.naive);
  figure("counter.step_jitter_p99", counter.jitter_p99(), "us");
  figure("counter.stamp_claimed", to_ms(stamps.claimed) * 1e3, "us");
  const auto locked = static_cast<double>(stamps.locked.size());
  figure("counter.locked_share", locked / (locked + static_cast<double>(stamps.missed)), "ratio");
  figure("counter.polling_share", seconds(stamps.counts.polled) / seconds(stamps.took), "ratio");
  return true;
}

}  // namespace enprof::bench
