// Measures the cost of the power monitor. CPU time: it reads a RAPL tree of two zones, whose
// counters another process steps every 0.977 ms as the hardware does; the control is a loop that
// only reads the same two files as often. Memory: a day of four domains at a hundred readings a
// second, through the monitor itself on a simulated clock; and an hour of the same.
#include "sampler_bench.hpp"

#include "enprof/power/power_monitor.hpp"

#include "base/polled_file.hpp"
#include "figure.hpp"
#include "stepping_rapl.hpp"
#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace enprof::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kRounds = 7;
constexpr Nanoseconds kRound = 1s;

// ---- CPU time ----------------------------------------------------------------------------------

Nanoseconds cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec} + Nanoseconds{time.tv_nsec};
}

/// Per cent of one core that the process uses while this thread sleeps; median of rounds.
double cpu_share() {
  std::vector<double> shares;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const Nanoseconds used = cpu_time();
    std::this_thread::sleep_for(kRound);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    shares.push_back(100.0 * seconds(cpu_time() - used) / took.count());
  }
  return median(shares);
}

/// The minimum: a thread that sleeps and reads two files.
double bare_loop_share(const std::vector<std::filesystem::path>& paths, Nanoseconds interval) {
  std::vector<PolledFile> files;
  for (const auto& path : paths) {
    if (auto file = PolledFile::open(path)) {
      files.push_back(std::move(*file));
    }
  }
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    std::uint64_t sum = 0;
    for (auto next = std::chrono::steady_clock::now(); !stop;) {
      next += interval;
      std::this_thread::sleep_until(next);
      for (const PolledFile& file : files) {
        sum += file.read_number().value_or(0);
      }
    }
    static_cast<void>(sum);
  });
  const double share = cpu_share();
  stop = true;
  reader.join();
  return share;
}

bool bench_cpu() {
  const SteppingRapl rapl;
  if (!rapl.works()) {
    std::fputs("enprof_bench: cannot start the process that steps a RAPL tree's counters\n",
               stderr);
    return false;
  }
  SteppingRapl::leave_its_cpu();
  figure("sampler.cpu_control_asleep", cpu_share(), "%");
  const struct {
    const char* name;
    const char* rate_name;
    const char* control_name;
    Nanoseconds interval;
    bool locked;  // to the counters' steps
  } rates[] = {
      {"sampler.cpu_100hz", "sampler.rate_100hz", "sampler.cpu_control_bare_100hz", 10ms, true},
      {"sampler.cpu_1khz", "sampler.rate_1khz", "sampler.cpu_control_bare_1khz", 1ms, false}};
  for (const auto& rate : rates) {
    figure(rate.control_name, bare_loop_share(rapl.files(), rate.interval), "%");
    auto monitor =
        PowerMonitor::open("rapl", {.sysfs_root = rapl.root(), .lock_to_steps = rate.locked});
    const auto started = monitor ? monitor->start(rate.interval) : std::unexpected(monitor.error());
    if (!started) {
      std::fprintf(stderr, "enprof_bench: %s\n", started.error().message.c_str());
      return false;
    }
    const double share = cpu_share();
    const double actual_hz = monitor->rates().front().actual_hz.value_or(0.0);
    monitor->stop();
    figure(rate.rate_name, actual_hz, "Hz");
    figure(rate.name, share, "%");
  }
  return true;
}

// ---- memory ------------------------------------------------------------------------------------

/// MB, from a line of /proc/self/status.
double memory_mb(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == key) {
      double kilobytes = 0.0;
      status >> kilobytes;
      return kilobytes / 1e3;
    }
  }
  return -1.0;
}

/// Runs a monitor over a simulated time. Returns the growth of its peak memory in MB; negative if
/// energy was lost.
double growth_over(Nanoseconds duration) {
  constexpr int kPieces = 100;  // windows of a domain between two polls
  testing::ManualClock clock;
  const auto sensor = std::make_shared<testing::FakeSensor>();
  sensor->pieces = kPieces;
  sensor->celsius = 60.0;
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<testing::FakeSource>(
      "fake", std::vector<std::string>{"package-0", "package-1", "dram-0", "dram-1"}, clock,
      sensor));
  PowerMonitor monitor(std::move(sources), clock);
  const double before = memory_mb("VmRSS:");
  if (!monitor.start(1s)) {
    return -1.0;
  }
  const Instant begin = clock.now();
  while (clock.now() - begin < duration) {
    clock.advance(1s);
    monitor.sync();
  }
  const double grown = memory_mb("VmHWM:") - before;
  monitor.stop();
  Joules energy;
  for (const std::vector<EnergyWindow>& windows : monitor.windows(begin, clock.now())) {
    for (const EnergyWindow& window : windows) {
      energy += window.energy;
    }
  }
  const Joules expected = 4 * Watts{50} * duration;
  return std::abs(energy.value() / expected.value() - 1.0) < 1e-9 ? grown : -1.0;
}

/// Calls a function in a process of its own, so that memory used before has no influence.
double in_child(const std::function<double()>& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) {
    return -1.0;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    const double result = work();
    const bool written = ::write(ends[1], &result, sizeof result) == sizeof result;
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  double result = -1.0;
  const bool whole = ::read(ends[0], &result, sizeof result) == sizeof result;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return child > 0 && whole ? result : -1.0;
}

bool bench_memory() {
  const double hour = in_child([] { return growth_over(1h); });
  const double day = in_child([] { return growth_over(24h); });
  if (hour < 0.0 || day < 0.0) {
    std::fputs("enprof_bench: the simulated day lost energy, or had no memory\n", stderr);
    return false;
  }
  figure("sampler.memory_control_1h", hour, "MB");
  figure("sampler.memory_24h", day, "MB");
  return true;
}

}  // namespace

// Memory first, while the process is small and has one thread: it forks itself.
bool bench_sampler() { return bench_memory() && bench_cpu(); }

}  // namespace enprof::bench
