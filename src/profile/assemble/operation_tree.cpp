#include "profile/assemble/operation_tree.hpp"

#include <algorithm>

namespace enprof {

void OperationTree::fill(const Attribution& attribution, std::span<const RootDomain> roots,
                         ProfiledRun& run) const {
  LayerTree::fill(attribution, roots, run);

  struct Tally {
    Nanoseconds duration{0};
    std::size_t count = 0;
    Work work;
  };
  std::vector<Tally> tallies(class_names().size());
  for (std::size_t index = 0; index < spans().size(); ++index) {
    const std::uint32_t operation = kind_of_span()[index];
    if (operation == kNone) {
      continue;
    }
    Tally& tally = tallies[classes()[index]];
    tally.duration += spans()[index].duration();
    ++tally.count;
    tally.work.add(kinds()[operation].flops, kinds()[operation].bytes);
  }

  run.operations.clear();
  for (std::size_t index = 0; index < tallies.size(); ++index) {
    const Tally& tally = tallies[index];
    if (tally.count == 0) {
      continue;  // (self) and (untimed): no operations
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
}

}  // namespace enprof
