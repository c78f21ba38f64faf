// How far a reading's time stamp is from the instant at which its value came to be. The counter is
// a file that a thread steps every 0.976 ms, give or take 10 µs, as RAPL's does; that thread notes
// when. A reading is wanted every 10 ms: locked to the step, and, as the control, stamped when it
// was read.
#include "counter_bench.hpp"

#include "enprof/base/clock.hpp"

#include "figure.hpp"
#include "power/counter_file.hpp"
#include "power/sleeper.hpp"
#include "power/step_lock.hpp"
#include "power/thread_setup.hpp"
#include "support/temp_dir.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <random>
#include <span>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

namespace enprof::bench {
namespace {

constexpr Nanoseconds kPeriod{976'562};
constexpr Nanoseconds kJitter = std::chrono::microseconds{10};
constexpr Nanoseconds kInterval = std::chrono::milliseconds{10};
constexpr int kReadings = 600;
constexpr std::size_t kMostSteps = 60'000;

/// Steps a file; its value is the number of steps. Threads: one steps, and hands over by joining.
class SteppedFile {
 public:
  SteppedFile() : path_(dir_.write("energy_uj", text(0).data())) {
    steps_.reserve(kMostSteps);
    file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    thread_ = std::thread([this] { step(); });
  }
  SteppedFile(const SteppedFile&) = delete;
  SteppedFile& operator=(const SteppedFile&) = delete;
  ~SteppedFile() {
    stop();
    ::close(file_);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void stop() {
    stopped_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  /// When the value came to be; after stop().
  [[nodiscard]] Instant stepped_at(std::uint64_t value) const { return steps_.at(value - 1); }

 private:
  static std::array<char, 24> text(std::uint64_t value) {
    std::array<char, 24> result{};
    fmt::format_to_n(result.data(), result.size() - 1, "{:020}\n", value);
    return result;
  }

  void step() {
    set_up_sampling_thread("bench-counter");
    constexpr Nanoseconds kEarly = std::chrono::microseconds{250};
    std::mt19937_64 random{1};
    std::uniform_int_distribution<Nanoseconds::rep> jitter(-kJitter.count(), kJitter.count());
    Instant due = monotonic_clock().now();
    while (!stopped_ && steps_.size() < kMostSteps) {
      due += kPeriod;
      const Instant instant = due + Nanoseconds{jitter(random)};
      const auto value = text(steps_.size() + 1);
      monotonic_sleeper().sleep_until(instant - kEarly);
      Instant before = monotonic_clock().now();
      while (before < instant) {
        before = monotonic_clock().now();
      }
      if (::pwrite(file_, value.data(), 21, 0) != 21) {
        return;
      }
      steps_.push_back(before + (monotonic_clock().now() - before) / 2);
    }
  }

  testing::TempDir dir_;
  std::filesystem::path path_;
  int file_ = -1;
  std::vector<Instant> steps_;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

struct Stamp {
  std::uint64_t value;
  Instant at;
};

struct Stamps {
  std::vector<Stamp> locked;
  std::vector<Stamp> naive;
  std::size_t missed = 0;
  StepLock::Counts counts;
  Nanoseconds claimed{0};
  Nanoseconds took{0};
};

Stamps read(const SteppedFile& file) {
  set_up_sampling_thread("bench-reader");
  Stamps stamps;
  CounterFile counter(file.path());
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

void figures_of(std::string_view name, const SteppedFile& file, std::span<const Stamp> stamps) {
  std::vector<double> errors;
  double squares = 0;
  for (const Stamp& stamp : stamps) {
    const double error = to_ms(stamp.at - file.stepped_at(stamp.value)) * 1e3;
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
  SteppedFile file;
  Stamps stamps;
  std::thread reader([&] { stamps = read(file); });
  reader.join();
  file.stop();
  if (stamps.locked.empty() || stamps.naive.empty()) {
    std::fputs("enprof_bench: the simulated counter was not seen to step\n", stderr);
    return false;
  }
  figures_of("stamp_locked", file, stamps.locked);
  figures_of("stamp_naive", file, stamps.naive);
  figure("counter.stamp_claimed", to_ms(stamps.claimed) * 1e3, "us");
  const auto locked = static_cast<double>(stamps.locked.size());
  figure("counter.locked_share", locked / (locked + static_cast<double>(stamps.missed)), "ratio");
  figure("counter.polling_share", seconds(stamps.counts.polled) / seconds(stamps.took), "ratio");
  return true;
}

}  // namespace enprof::bench
