// Measures the live stream under load. The server and its watchers, which are a process of their
// own, share one CPU; an inference has another one to itself. Decode times are measured in pairs,
// without the stream and with it, in alternating order; and in pairs that are both without it.
#include "stream_bench.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/llama/llama_engine.hpp"
#include "figure.hpp"
#include "live/event_hub.hpp"
#include "server/http_server.hpp"
#include "server/live_publisher.hpp"
#include "stream_clients.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <utility>
#include <vector>

namespace enprof::bench {
namespace {

constexpr int kInferenceCpu = 0;
constexpr int kServerCpu = 1;
constexpr double kEventsPerSecond = 1000.0;
constexpr double kCalmEventsPerSecond = 10.0;
constexpr int kTokens = 64;
constexpr const char* kPrompt = "How many joules does a thought take?";

template <class T>
T value_of(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

/// The peak memory of this process.
double peak_memory_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) {
      return std::strtod(line.c_str() + 6, nullptr) / 1024.0;
    }
  }
  throw std::runtime_error("/proc/self/status has no VmHWM");
}

/// CPU time that this process has used.
double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

/// Publishes an event like that of a token that ended at `at`.
void publish_token(EventHub& hub, std::uint64_t index, Instant at) {
  static_cast<void>(hub.publish(
      "0123456789abcdef", "token_complete", Nanoseconds{index * 1'000'000},
      fmt::format(R"({{"index":{},"text":" word","phase":"decode","duration_ms":12.345678,)"
                  R"("energy_mj":617.2839,"power_mw":50000.0,"provisional":true,)"
                  R"("at_ns":{}}})",
                  index, at.time_since_epoch().count())));
}

/// Publishes events like those of tokens, at a constant rate, from a thread of its own.
class Load {
 public:
  Load(EventHub& hub, double per_second)
      : thread_([this, &hub, per_second] {
          const auto period = std::chrono::duration_cast<std::chrono::nanoseconds>(
              std::chrono::duration<double>(1.0 / per_second));
          auto next = std::chrono::steady_clock::now();
          for (std::uint64_t index = 0; !stopping_; ++index) {
            std::this_thread::sleep_until(next += period);
            publish_token(hub, index, monotonic_clock().now());
          }
        }) {}
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() {
    stopping_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class StreamBench {
 public:
  explicit StreamBench(std::uint32_t watchers) {
    pin_thread(kServerCpu);  // also for all threads started from here, but not the inference's
    server_ = value_of(
        HttpServer::open({.port = 0}, [](const HttpRequest&) { return HttpResponse{}; }, hub_));
    thread_ = std::thread([this] { server_->run(); });
    clients_.connect(server_->port(), watchers);
  }
  StreamBench(const StreamBench&) = delete;
  StreamBench& operator=(const StreamBench&) = delete;
  ~StreamBench() {
    server_->stop();
    thread_.join();
  }

  void measure_stream(double seconds) {
    const double before = cpu_seconds();
    const StreamReport full = under_load(kEventsPerSecond, seconds);
    figure("stream.server_cpu", (cpu_seconds() - before) / seconds, "CPUs");
    figure("stream.watchers", full.watchers, "watchers");
    figure("stream.events", static_cast<double>(full.events) / seconds, "events/s");
    figure("stream.memory", peak_memory_mb(), "MB");
    figure("stream.lost", static_cast<double>(full.lost), "events");
    figure("stream.dropped_watchers", static_cast<double>(server_->dropped_watchers()), "watchers");
    figure("stream.latency_p50", full.latency_p50_ms, "ms");
    figure("stream.latency_p99", full.latency_p99_ms, "ms");
    const StreamReport calm = under_load(kCalmEventsPerSecond, std::min(seconds, 10.0));
    figure("stream.calm_latency_p50", calm.latency_p50_ms, "ms");
    figure("stream.calm_latency_p99", calm.latency_p99_ms, "ms");
    const StreamReport tokens = run_of_tokens(std::min(seconds, 10.0));
    figure("stream.token_latency_p50", tokens.latency_p50_ms, "ms");
    figure("stream.token_latency_p99", tokens.latency_p99_ms, "ms");
  }

  void measure_decode(const char* path, int rounds) {
    LlamaEngine engine = value_of(LlamaEngine::load(path, {.threads = 1}));
    static_cast<void>(decode_seconds(engine, false));  // accesses new memory for the first time
    std::vector<double> with;
    std::vector<double> control;
    for (int round = 0; round < rounds; ++round) {
      const auto ratio = [&](bool streaming) {
        const bool first = round % 2 == 0;
        const double one = decode_seconds(engine, first && streaming);
        const double other = decode_seconds(engine, !first && streaming);
        return first ? one / other : other / one;
      };
      with.push_back(ratio(true));
      control.push_back(ratio(false));
    }
    figure("stream.decode", median(with), "ratio");
    figure("stream.decode_spread", spread(with), "ratio");
    figure("stream.decode_control", median(control), "ratio");
    figure("stream.decode_control_spread", spread(control), "ratio");
  }

 private:
  StreamReport under_load(double per_second, double seconds) {
    clients_.mark();
    {
      const Load load(hub_, per_second);
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    }
    return clients_.report(hub_.last());
  }

  /// Runs tokens at the calm rate and measures each from its end on the hot path to the watchers,
  /// including everything between. The rates of tokens and deliveries are incommensurable.
  StreamReport run_of_tokens(double seconds) {
    clients_.mark();
    InferencePipelineProfiler profiler{nullptr, nullptr, {.is_watched = [] { return true; }}};
    const auto count = static_cast<std::size_t>(seconds * kCalmEventsPerSecond);
    std::vector<Instant> ends(count);  // each is written before its token is published
    profiler.on([&](const Event& event) {
      if (const auto* const token = event.get_if<events::TokenComplete>()) {
        publish_token(hub_, token->index, ends.at(token->index));
      }
    });
    RunScope run = profiler.run({.model_name = "bench", .max_output_tokens = count});
    for (std::size_t token = 0; token < count; ++token) {
      TokenScope scope = run.token(Phase::decode);
      std::this_thread::sleep_for(std::chrono::duration<double>(
          (1.0 + std::sin(static_cast<double>(token)) / 2) / kCalmEventsPerSecond));
      ends[token] = monotonic_clock().now();
      scope.end();
    }
    run.finish();
    return clients_.report(hub_.last());
  }

  /// A profiled run. With `streaming` its events go to the watchers, together with a thousand
  /// others a second.
  double decode_seconds(LlamaEngine& engine, bool streaming) {
    pin_thread(kServerCpu);
    std::optional<Load> load;
    ProfilerOptions options;
    if (streaming) {
      load.emplace(hub_, kEventsPerSecond);
      options.settle_period = std::chrono::milliseconds{250};
      options.is_watched = [] { return true; };
    }
    InferencePipelineProfiler profiler{static_cast<PowerMonitor*>(nullptr), nullptr, options};
    LivePublisher publisher(hub_);
    if (streaming) {
      profiler.on([&](const Event& event) { publisher.publish(event); });
    }
    RunScope run =
        profiler.run({.model_name = "bench", .depth = Depth::module, .max_output_tokens = kTokens});
    pin_thread(kInferenceCpu);
    static_cast<void>(value_of(
        engine.generate(run, {.prompt = kPrompt, .max_tokens = kTokens, .ignore_eos = true})));
    const ProfiledRun& result = run.finish();
    if (streaming) {
      publisher.publish_figures(result);
    }
    const auto decode = std::ranges::find(result.phases, Phase::decode, &PhaseFigure::phase);
    if (decode == result.phases.end()) {
      throw std::runtime_error("the run has no decode phase");
    }
    return seconds(decode->figure.duration);
  }

  /// The interquartile range, to judge a median by.
  [[nodiscard]] static double spread(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() * 3 / 4] - values[values.size() / 4];
  }

  StreamClients clients_{kServerCpu};  // first: it forks
  EventHub hub_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

}  // namespace

bool bench_stream(std::span<const char* const> arguments) {
  const int watchers = arguments.size() >= 2 ? std::atoi(arguments[0]) : 0;
  const double seconds = arguments.size() >= 2 ? std::strtod(arguments[1], nullptr) : 0.0;
  const int rounds = arguments.size() == 4 ? std::atoi(arguments[3]) : 0;
  if (watchers < 1 || seconds <= 0.0 || (arguments.size() != 2 && rounds < 1)) {
    std::fputs(
        "enprof_bench: stream needs a number of clients and of seconds, then optionally a model "
        "file and a number of rounds\n",
        stderr);
    return false;
  }
  if (std::thread::hardware_concurrency() < 2) {
    std::fputs("enprof_bench: stream needs two CPUs\n", stderr);
    return false;
  }
  StreamBench bench(static_cast<std::uint32_t>(watchers));
  bench.measure_stream(seconds);
  if (rounds > 0) {
    bench.measure_decode(arguments[2], rounds);
  }
  return true;
}

}  // namespace enprof::bench
