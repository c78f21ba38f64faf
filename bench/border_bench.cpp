// Measures the error of the energy of tokens on a machine whose CPUs all compute: through the real
// clock and threads, RaplSource, PowerMonitor, profiler and attribution, on a counter that steps by
// itself (ClockedRapl), so that the true energy of each token is known. Tokens take 7 ms and
// consist of operations of 20 to 200 µs; on all other CPUs a thread computes as well.
//
// Each interval is measured with readings at the borders of operations (RunScope::at_border), and
// without, as the control: that is what an engine without borders gets.
#include "border_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "clocked_rapl.hpp"
#include "figure.hpp"
#include "thread_cpu_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace enprof::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kTokens = 300;
constexpr Nanoseconds kToken = 7ms;
constexpr Nanoseconds kShortest = 20us;
constexpr Nanoseconds kLongest = 200us;
constexpr std::chrono::milliseconds kIdle{1500};

/// One thread for each CPU but one, which computes until the object ends.
class BusyCpus {
 public:
  BusyCpus() {
    for (unsigned cpu = 1; cpu < std::thread::hardware_concurrency(); ++cpu) {
      threads_.emplace_back([](const std::stop_token& stop) {
        std::atomic<double> sum = 0;
        while (!stop.stop_requested()) {
          sum = sum + std::sqrt(sum + 1.0);
        }
      });
    }
  }

 private:
  std::vector<std::jthread> threads_;
};

struct Mode {
  std::string name;
  std::optional<Nanoseconds> interval;
  bool has_borders;
  std::vector<double> error_pct{};
  std::vector<double> within_pct{};
  std::vector<double> windows_per_s{};
  std::vector<double> reads_per_s{};
  std::vector<double> background{};  // CPUs
};

struct Stretch {
  Instant begin;
  Instant end;
};

/// Computes until an instant.
void compute(Instant until) {
  while (monotonic_clock().now() < until) {
  }
}

/// An inference; returns when its tokens were made.
std::vector<Stretch> infer(RunScope& run, bool has_borders, std::mt19937_64& random) {
  std::uniform_int_distribution<Nanoseconds::rep> length(kShortest.count(), kLongest.count());
  std::vector<Stretch> tokens;
  tokens.reserve(kTokens);
  Instant due;
  for (std::size_t index = 0; index < kTokens; ++index) {
    const Instant begin = monotonic_clock().now();
    {
      const TokenScope token = run.token(Phase::decode);
      for (Instant now = begin; now < begin + kToken; now = monotonic_clock().now()) {
        compute(now + Nanoseconds{length(random)});
        const Instant border = monotonic_clock().now();
        if (has_borders && border >= due) {
          due = run.at_border(border);
        }
      }
    }
    tokens.push_back({.begin = begin, .end = monotonic_clock().now()});
  }
  return tokens;
}

void judge(Mode& mode, const ProfiledRun& run, const std::vector<Stretch>& tokens) {
  double wrong = 0;
  double whole = 0;
  std::size_t within = 0;
  if (run.tokens.size() != tokens.size()) {
    throw std::runtime_error("the run has another number of tokens");
  }
  for (std::size_t index = 0; index < tokens.size(); ++index) {
    const Figure& found = run.tokens[index].figure;
    if (!found.total || !found.quality.standard_error) {
      throw std::runtime_error("a token has no energy");
    }
    const double truth =
        ClockedRapl::energy_between(tokens[index].begin, tokens[index].end).value();
    const double off = std::abs(found.total->value() - truth);
    wrong += off;
    whole += truth;
    within += off <= 2 * found.quality.standard_error->value() ? 1 : 0;
  }
  mode.error_pct.push_back(100 * wrong / whole);
  mode.within_pct.push_back(100.0 * static_cast<double>(within) /
                            static_cast<double>(tokens.size()));
}

void measure(Mode& mode, std::mt19937_64& random) {
  const std::set<int> own = thread_ids();
  const ClockedRapl rapl;
  auto monitor = PowerMonitor::open("rapl", rapl.environment());
  if (!monitor) {
    throw std::runtime_error(monitor.error().message);
  }
  if (const auto started = monitor->start(mode.interval); !started) {
    throw std::runtime_error(started.error().message);
  }
  std::this_thread::sleep_for(kIdle);  // as while idle power is measured
  const BusyCpus busy;
  InferencePipelineProfiler profiler{&*monitor, nullptr};
  RunScope run = profiler.run({.model_name = "bench", .max_output_tokens = kTokens});
  const auto sampler = [&] { return cpu_seconds_of_other_threads(own)["enprof-rapl"]; };
  const double used = sampler();
  const std::uint64_t reads = rapl.reads_at_borders();
  const Instant begin = monotonic_clock().now();
  const std::vector<Stretch> tokens = infer(run, mode.has_borders, random);
  const Instant end = monotonic_clock().now();
  mode.background.push_back((sampler() - used) / seconds(end - begin));
  mode.reads_per_s.push_back(static_cast<double>(rapl.reads_at_borders() - reads) /
                             seconds(end - begin));
  judge(mode, run.finish(), tokens);
  mode.windows_per_s.push_back(static_cast<double>(monitor->windows(begin, end)[0].size()) /
                               seconds(end - begin));
}

}  // namespace

bool bench_borders(std::span<const char* const> arguments) {
  const int rounds = arguments.size() == 1 ? std::atoi(arguments[0]) : 0;
  if (rounds < 1) {
    std::fputs("enprof_bench: border needs a number of rounds\n", stderr);
    return false;
  }
  std::vector<Mode> modes{{"default_control", std::nullopt, false},
                          {"default", std::nullopt, true},
                          {"10ms_control", 10ms, false},
                          {"10ms", 10ms, true},
                          {"2ms_control", 2ms, false},
                          {"2ms", 2ms, true}};
  std::mt19937_64 random{1};
  for (int round = 0; round < rounds; ++round) {
    for (Mode& mode : modes) {
      measure(mode, random);
    }
  }
  const Nanoseconds read = ClockedRapl{}.time_of_read();
  figure("border.read", to_ms(read) * 1e3, "µs");
  for (const Mode& mode : modes) {
    const std::string prefix = "border." + mode.name + ".";
    const double reads = median(mode.reads_per_s);
    figure(prefix + "token_error", median(mode.error_pct), "%");
    figure(prefix + "token_error_worst", std::ranges::max(mode.error_pct), "%");
    figure(prefix + "token_within_2se", median(mode.within_pct), "%");
    figure(prefix + "windows", median(mode.windows_per_s), "1/s");
    figure(prefix + "reads_at_borders", reads, "1/s");
    figure(prefix + "cpu_of_reads_at_borders", reads * seconds(read), "CPUs");
    figure(prefix + "cpu_of_sampler", median(mode.background), "CPUs");
  }
  return true;
}

}  // namespace enprof::bench
