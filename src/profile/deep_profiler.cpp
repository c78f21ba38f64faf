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

  struct Sum {
    FigureBuilder builder;
    Work work;
  };
  std::vector<Sum> sums(class_names().size(), Sum{.builder = FigureBuilder(roots), .work = {}});
  std::vector<OperationEvent> events;
  events.reserve(recording().passes.stamps.size());
  const Instant run_begin = recording().spans.front().begin;
  for (std::size_t index = 0; index < spans().size(); ++index) {
    const std::uint32_t operation = meaning(index).operation;
    if (operation == kNone) {
      continue;
    }
    const Span& span = spans()[index];
    const std::span<const EnergyShare> shares = attribution.shares(index);
    Sum& sum = sums[classes()[index]];
    sum.builder.add(span.duration(), shares);
    sum.work.add(kinds()[operation].flops, kinds()[operation].bytes);
    events.push_back({.begin = span.begin - run_begin,
                      .energy_j = energy_of(shares),
                      .duration_ns = cut(span.duration()),
                      .operation = operation,
                      .token = span.token,
                      .phase = span.phase});
  }

  run.operations.clear();
  for (std::size_t index = 0; index < sums.size(); ++index) {
    if (sums[index].builder.spans() == 0) {
      continue;  // time of no operation
    }
    const SpanClass& name = *class_names()[index];
    run.operations.push_back({.phase = name.phase,
                              .component = name.component,
                              .op = name.op,
                              .count = sums[index].builder.spans(),
                              .figure = sums[index].builder.build(),
                              .flops = sums[index].work.flops,
                              .bytes = sums[index].work.bytes});
  }
  std::ranges::stable_sort(run.operations, [](const OperationFigure& a, const OperationFigure& b) {
    return a.phase != b.phase ? a.phase < b.phase : costs_more(a.figure, b.figure);
  });
  run.operation_table = {.operations = kinds(), .events = std::move(events)};
}

}  // namespace enprof
