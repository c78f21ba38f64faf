// Spans attributed a second on one core: a decode-shaped tree under the windows of two root
// domains.
#include "attribution_bench.hpp"

#include "attribution/attribution.hpp"
#include "figure.hpp"

#include <chrono>
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
    if (result.mended_spans() == 0) {  // and so the result is used
      rates.push_back(static_cast<double>(spans.size()) / took.count());
    }
  }
  return median(rates);
}

}  // namespace

void bench_attribution() {
  const std::vector<Span> spans = decode_spans();
  std::vector<EnergyTimeline> timelines{timeline(std::chrono::milliseconds{10})};
  figure("attribution.one_domain", spans_per_second(spans, timelines), "spans/s");
  timelines.push_back(timeline(std::chrono::milliseconds{1}));
  figure("attribution.two_domains", spans_per_second(spans, timelines), "spans/s");
}

}  // namespace enprof::bench
