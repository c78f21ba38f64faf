// Measures how many spans are attributed per second on one core: a tree like that of a decode, with
// windows of two root domains; and an hour of operations with windows of a millisecond.
#include "attribution_bench.hpp"

#include "attribution/attribution.hpp"
#include "figure.hpp"

#include <chrono>
#include <sys/resource.h>
#include <vector>

namespace enprof::bench {
namespace {

constexpr int kTokens = 200'000;
constexpr int kSectionsPerToken = 3;
constexpr int kRounds = 9;
constexpr Nanoseconds kToken = std::chrono::milliseconds{6};

std::vector<Span> decode_spans() {
  std::vector<Span> spans;
  spans.reserve(2 + kTokens * (1 + kSectionsPerToken));
  const Instant start{};
  const Instant end = start + kTokens * kToken;
  spans.push_back({.begin = start, .end = end, .level = Level::run});
  spans.push_back(
      {.begin = start, .end = end, .parent = 0, .level = Level::phase, .phase = Phase::decode});
  for (int token = 0; token < kTokens; ++token) {
    const Instant begin = start + token * kToken;
    const auto index = static_cast<std::int32_t>(spans.size());
    spans.push_back({.begin = begin,
                     .end = begin + kToken,
                     .parent = 1,
                     .token = token,
                     .level = Level::token,
                     .phase = Phase::decode});
    for (int section = 0; section < kSectionsPerToken; ++section) {
      spans.push_back({.begin = begin + section * kToken / kSectionsPerToken,
                       .end = begin + (section + 1) * kToken / kSectionsPerToken,
                       .parent = index,
                       .token = token,
                       .level = Level::section,
                       .phase = Phase::decode});
    }
  }
  return spans;
}

EnergyTimeline timeline(Nanoseconds period) {
  std::vector<EnergyWindow> windows;
  const Instant end = Instant{} + kTokens * kToken;
  for (Instant begin{}; begin < end; begin += period) {
    windows.push_back({.begin = begin, .end = begin + period, .energy = Watts{50} * period});
  }
  return EnergyTimeline(windows, std::chrono::microseconds{280});
}

double spans_per_second(const std::vector<Span>& spans,
                        const std::vector<EnergyTimeline>& timelines) {
  std::vector<double> rates;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const Attribution result = attribute(spans, timelines);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (result.mended_spans() == 0) {  // uses the result
      rates.push_back(static_cast<double>(spans.size()) / took.count());
    }
  }
  return median(rates);
}

/// Tokens of 65 ms, each of 177 operations of 24 classes: 10 million spans an hour.
std::vector<Span> hour_of_operations(std::vector<std::uint32_t>& classes) {
  constexpr int kHourTokens = 55'400;
  constexpr int kOperations = 177;
  constexpr int kClasses = 24;
  constexpr Nanoseconds kHourToken = std::chrono::hours{1} / kHourTokens;
  std::vector<Span> spans;
  spans.reserve(2 + std::size_t{kHourTokens} * (3 + kOperations));
  const Instant start{};
  const Instant end = start + kHourTokens * kHourToken;
  spans.push_back({.begin = start, .end = end, .level = Level::run});
  spans.push_back(
      {.begin = start, .end = end, .parent = 0, .level = Level::phase, .phase = Phase::decode});
  const auto add = [&](Instant from, Instant to, std::size_t parent, Level level) {
    spans.push_back({.begin = from,
                     .end = to,
                     .parent = static_cast<std::int32_t>(parent),
                     .level = level,
                     .phase = Phase::decode});
    return spans.size() - 1;
  };
  for (int token = 0; token < kHourTokens; ++token) {
    const Instant begin = start + token * kHourToken;
    const std::size_t outer = add(begin, begin + kHourToken, 1, Level::token);
    const std::size_t pass = add(begin, begin + kHourToken, outer, Level::section);
    for (int operation = 0; operation < kOperations; ++operation) {
      add(begin + operation * kHourToken / kOperations,
          begin + (operation + 1) * kHourToken / kOperations, pass, Level::operation);
    }
  }
  classes.assign(spans.size(), kNoClass);
  for (std::size_t index = 0; index < spans.size(); ++index) {
    if (spans[index].level == Level::operation) {
      classes[index] = static_cast<std::uint32_t>(index % kClasses);
    }
  }
  return spans;
}

double peak_memory_gb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  return static_cast<double>(usage.ru_maxrss) / 1e9;
#else
  return static_cast<double>(usage.ru_maxrss) * 1024.0 / 1e9;
#endif
}

/// Measures the time from windows and spans to shares; and the process's peak memory, including
/// windows and spans.
void bench_hour() {
  std::vector<std::uint32_t> classes;
  const std::vector<Span> spans = hour_of_operations(classes);
  std::vector<EnergyWindow> windows;
  constexpr Nanoseconds kWindow = std::chrono::milliseconds{1};
  for (Instant begin{}; begin < Instant{} + std::chrono::hours{1}; begin += kWindow) {
    const double watts = 45.0 + static_cast<double>(begin.time_since_epoch() / kWindow % 17);
    windows.push_back({.begin = begin, .end = begin + kWindow, .energy = Watts{watts} * kWindow});
  }
  const SpanGroups groups{.of_span = classes, .count = 24};
  std::vector<double> times;
  for (int round = 0; round < 3; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<EnergyTimeline> timelines{
        EnergyTimeline(windows, std::chrono::microseconds{1})};
    const Attribution result =
        attribute(spans, timelines, {.classes = classes, .groupings = std::span(&groups, 1)});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (result.mended_spans() == 0) {
      times.push_back(took.count());
    }
  }
  figure("attribution.hour", median(times), "s");
  figure("attribution.hour_memory", peak_memory_gb(), "GB");
}

}  // namespace

void bench_attribution() {
  bench_hour();  // first, because it measures the process's peak memory
  const std::vector<Span> spans = decode_spans();
  std::vector<EnergyTimeline> timelines{timeline(std::chrono::milliseconds{10})};
  figure("attribution.one_domain", spans_per_second(spans, timelines), "spans/s");
  timelines.push_back(timeline(std::chrono::milliseconds{1}));
  figure("attribution.two_domains", spans_per_second(spans, timelines), "spans/s");
}

}  // namespace enprof::bench
