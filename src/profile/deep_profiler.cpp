#include "profile/deep_profiler.hpp"

#include <algorithm>
#include <limits>

namespace enprof {
namespace {

/// Of the roots together; NaN where none was measured.
double energy_of(std::span<const EnergyShare> shares) {
  Joules energy;
  bool any = false;
  for (const EnergyShare& share : shares) {
    if (share.covered > Nanoseconds{0}) {
      energy += share.energy;
      any = true;
    }
  }
  return any ? energy.value() : std::numeric_limits<double>::quiet_NaN();
}

std::uint32_t cut(Nanoseconds duration) {
  return static_cast<std::uint32_t>(
      std::clamp<Nanoseconds::rep>(duration.count(), 0, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

void DeepProfiler::fill(const Attribution& attribution, std::span<const RootDomain> roots,
                        ProfiledRun& run) const {
  LayerProfiler::fill(attribution, roots, run);

  struct Tally {
    Nanoseconds duration{0};
    std::size_t count = 0;
    Work work;
  };
  std::vector<Tally> tallies(class_names().size());
  std::vector<OperationEvent> events;
  events.reserve(recording().passes.stamps.size());
  const Instant run_begin = recording().spans.front().begin;
  for (std::size_t index = 0; index < spans().size(); ++index) {
    const std::uint32_t operation = kind_of_span()[index];
    if (operation == kNone) {
      continue;
    }
    const Span& span = spans()[index];
    Tally& tally = tallies[classes()[index]];
    tally.duration += span.duration();
    ++tally.count;
    tally.work.add(kinds()[operation].flops, kinds()[operation].bytes);
    events.push_back({.begin = span.begin - run_begin,
                      .energy_j = energy_of(attribution.shares(index)),
                      .duration_ns = cut(span.duration()),
                      .operation = operation,
                      .token = span.token,
                      .phase = span.phase});
  }

  run.operations.clear();
  for (std::size_t index = 0; index < tallies.size(); ++index) {
    const Tally& tally = tallies[index];
    if (tally.count == 0) {
      continue;  // time of no operation
    }
    const SpanClass& name = *class_names()[index];
    FigureBuilder builder(roots);
    builder.add(tally.duration, attribution.group(kClasses, index), tally.count);
    run.operations.push_back({.phase = name.phase,
                              .component = name.component,
                              .op = name.op,
                              .count = tally.count,
                              .figure = builder.build(),
                              .flops = tally.work.flops,
                              .bytes = tally.work.bytes});
  }
  std::ranges::stable_sort(run.operations, [](const OperationFigure& a, const OperationFigure& b) {
    return a.phase != b.phase ? a.phase < b.phase : costs_more(a.figure, b.figure);
  });
  run.operation_table = {.operations = kinds(), .events = std::move(events)};
}

}  // namespace enprof
