#include "profile/assemble/layer_tree.hpp"

#include "base/counted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace enprof {
namespace {

/// The number of spans of a layer or component, their duration, and the number of their passes.
struct Tally {
  static constexpr std::size_t kNever = SIZE_MAX;

  Nanoseconds duration{0};
  std::size_t spans = 0;
  std::size_t passes = 0;
  std::size_t last_pass = kNever;

  /// `continues`: the leaf belongs to the same span as the leaf before it.
  void add(Nanoseconds leaf, std::size_t pass, bool continues) {
    duration += leaf;
    spans += continues ? 0 : 1;
    passes += pass == last_pass ? 0 : 1;
    last_pass = pass;
  }
};

/// The end of the stretch of operations from `first` on that are alike.
template <class Alike>
std::size_t end_of_stretch(const std::vector<OperationInfo>& operations, std::size_t first,
                           std::size_t limit, Alike alike) {
  std::size_t end = first + 1;
  while (end < limit && alike(operations[first], operations[end])) {
    ++end;
  }
  return end;
}

/// The sum of the roots' energies in joules; NaN if no root was measured.
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

/// In nanoseconds; see OperationEvent.
constexpr Nanoseconds::rep kLongestEvent = std::numeric_limits<std::uint32_t>::max();

/// A longer duration becomes the largest number, a negative one 0.
std::uint32_t saturated_ns(Nanoseconds duration) {
  return static_cast<std::uint32_t>(
      std::clamp<Nanoseconds::rep>(duration.count(), 0, kLongestEvent));
}

}  // namespace

void LayerTree::Work::add(const std::optional<double>& more_flops,
                          const std::optional<double>& more_bytes) {
  const auto sum = [](const std::optional<double>& a, const std::optional<double>& b) {
    return a && b ? std::optional{*a + *b} : std::nullopt;
  };
  flops = sum(flops, more_flops);
  bytes = sum(bytes, more_bytes);
}

// ---- from passes to spans ----------------------------------------------------------------------

LayerTree::LayerTree(const RecordingView& recording, bool with_operations)
    : recorded_(recording.spans), passes_(recording.passes), with_operations_(with_operations) {
  const std::span<const PassRecord> passes = passes_.passes;
  // Usually a little more than needed: there are fewer layers and components than operations.
  std::size_t stamps = 0;
  for (const PassRecord& pass : passes) {
    stamps += pass.stamp_count;
  }
  const std::size_t room =
      recording.spans.size() + 3 * passes.size() + stamps * (with_operations ? 2 : 1);
  spans_.reserve(room);
  layer_of_.reserve(room);
  component_of_.reserve(room);
  operation_of_.reserve(room);
  classes_.reserve(room);

  std::vector<std::int32_t> index_in_tree;  // by span of the recording
  index_in_tree.reserve(recording.spans.size());
  std::size_t next = 0;
  const auto add_passes = [&](std::size_t spans_before) {
    while (next < passes.size() && passes[next].place.spans_before <= spans_before) {
      add_pass(passes[next++], index_in_tree);
    }
  };
  for (std::size_t index = 0; index < recording.spans.size(); ++index) {
    add_passes(index);
    Span span = recording.spans[index];
    if (span.parent != Span::kNone) {
      span.parent = index_in_tree[static_cast<std::size_t>(span.parent)];
    }
    add_span(span, {}, kNoClass);
    index_in_tree.push_back(last());
  }
  add_passes(recording.spans.size());
}

void LayerTree::add_span(const Span& span, const LeafGroups& groups, std::uint32_t span_class) {
  spans_.push_back(span);
  layer_of_.push_back(groups.layer);
  component_of_.push_back(groups.component);
  operation_of_.push_back(groups.operation);
  classes_.push_back(span_class);
}

LayerTree::LeafGroups LayerTree::groups_outside_layers(Phase phase, const char* component) {
  return {.layer = layers_.number_of({phase, OperationInfo::kNoLayer}),
          .component = components_.number_of({phase, OperationInfo::kNoLayer, component})};
}

void LayerTree::add_pass(const PassRecord& pass, const std::vector<std::int32_t>& index_in_tree) {
  const std::int32_t parent = index_in_tree.at(static_cast<std::size_t>(pass.place.parent));
  const Span& around = spans_[static_cast<std::size_t>(parent)];
  const Span span{.begin = pass.begin,
                  .end = pass.end,
                  .parent = parent,
                  .token = around.token,
                  .level = Level::pass,
                  .phase = around.phase};
  if (pass.state != PassState::complete) {
    add_span(span, groups_outside_layers(span.phase, kUntimedComponent),
             class_of(span.phase, kUntimedComponent, ""));
    return;
  }
  const Layout& found = layout(pass.plan, span.phase);
  const std::size_t count = passes_.plans[pass.plan]->operations.size();
  read_stamps(pass.start, passes_.stamps_of(pass), ends_);
  if (ends_.size() != count) {
    throw std::out_of_range(
        fmt::format("A pass has {} stamps from index {}, but its plan has {} operations and the "
                    "recording has {} stamps",
                    pass.stamp_count, pass.first_stamp, count, passes_.stamps.size()));
  }
  add_span(span, {}, kNoClass);
  const std::int32_t index = last();
  const Instant end = ends_.empty() ? pass.start : ends_.back();
  add_gap(pass.begin, pass.start, index);
  add_operations(pass, found, index);
  add_gap(end, pass.end, index);
}

void LayerTree::add_gap(Instant begin, Instant end, std::int32_t parent) {
  if (end <= begin) {
    return;
  }
  Span span = spans_[static_cast<std::size_t>(parent)];
  span.begin = begin;
  span.end = end;
  span.parent = parent;
  span.level = Level::component;
  add_span(span, groups_outside_layers(span.phase, kSelfComponent),
           class_of(span.phase, kSelfComponent, ""));
}

void LayerTree::add_operations(const PassRecord& pass, const Layout& layout, std::int32_t parent) {
  Span span = spans_[static_cast<std::size_t>(parent)];
  const auto add = [&](const Stretch& stretch, Level level, std::int32_t within) {
    span.begin = stretch.first == 0 ? pass.start : ends_[stretch.first - 1];
    span.end = ends_[stretch.first + stretch.count - 1];
    span.parent = within;
    span.level = level;
    const bool is_leaf = stretch.span_class != kNoClass;
    add_span(span, is_leaf ? stretch.groups : LeafGroups{}, stretch.span_class);
    return last();
  };
  auto component = layout.components.begin();
  for (const Stretch& layer : layout.layers) {
    const std::int32_t layer_span = add(layer, Level::layer, parent);
    for (; component != layout.components.end() && component->first < layer.first + layer.count;
         ++component) {
      work_[component->groups.component].add(component->work.flops, component->work.bytes);
      // A component of one operation has no span of its own: the operation's span is enough.
      const std::int32_t outer = with_operations_ && component->count == 1
                                     ? layer_span
                                     : add(*component, Level::component, layer_span);
      if (with_operations_) {
        for (std::size_t index = 0; index < component->count; ++index) {
          add(layout.operations[component->first + index], Level::operation, outer);
        }
      }
    }
  }
  prefill_layers_ += span.phase == Phase::prefill ? layout.numbered_layers : 0;
}

const LayerTree::Layout& LayerTree::layout(std::uint32_t plan, Phase phase) {
  auto found = layouts_.find({plan, phase});
  if (found == layouts_.end()) {
    if (plan >= passes_.plans.size() || passes_.plans[plan] == nullptr) {
      throw std::out_of_range(fmt::format("A pass has the unknown plan {}", plan));
    }
    found =
        layouts_.emplace(std::pair{plan, phase}, make_layout(*passes_.plans[plan], phase)).first;
  }
  return found->second;
}

LayerTree::Layout LayerTree::make_layout(const OperationPlan& plan, Phase phase) {
  Layout result;
  const std::vector<OperationInfo>& all = plan.operations;
  for (std::size_t first = 0; first < all.size();) {
    const std::size_t layer_end = end_of_stretch(
        all, first, all.size(),
        [](const OperationInfo& a, const OperationInfo& b) { return a.layer == b.layer; });
    const std::int32_t layer = all[first].layer;
    result.layers.push_back({.first = first, .count = layer_end - first});
    result.numbered_layers += layer == OperationInfo::kNoLayer ? 0 : 1;
    while (first < layer_end) {
      const std::size_t end =
          end_of_stretch(all, first, layer_end, [](const OperationInfo& a, const OperationInfo& b) {
            return a.component == b.component;
          });
      const LeafGroups groups{
          .layer = layers_.number_of({phase, layer}),
          .component = components_.number_of({phase, layer, all[first].component})};
      work_.resize(components_.keys.size());
      Stretch component{.first = first, .count = end - first, .groups = groups};
      const std::size_t begin = first;
      for (; first < end; ++first) {
        component.work.add(all[first].flops, all[first].bytes);
        if (with_operations_) {
          Stretch operation{.first = first, .count = 1, .groups = groups};
          operation.groups.operation = kind_of(all[first]);
          operation.span_class = class_of(phase, all[first].component, all[first].op);
          result.operations.push_back(operation);
        }
      }
      if (!with_operations_) {
        component.span_class = class_of(phase, all[begin].component, "");
        component.groups.operation = kind_of({.layer = layer,
                                              .component = all[begin].component,
                                              .op = {},
                                              .name = {},
                                              .flops = component.work.flops,
                                              .bytes = component.work.bytes});
      }
      result.components.push_back(component);
    }
  }
  return result;
}

std::uint32_t LayerTree::class_of(Phase phase, const std::string& component,
                                  const std::string& op) {
  return class_numbers_.number_of({phase, component, op});
}

std::uint32_t LayerTree::kind_of(const OperationInfo& info) {
  const auto [entry, is_new] = kind_index_.emplace(
      KindKey{info.layer, info.component, info.op, info.name, info.shape, info.flops, info.bytes},
      static_cast<std::uint32_t>(kinds_.size()));
  if (is_new) {
    kinds_.push_back(info);
  }
  return entry->second;
}

// ---- from energies to figures ------------------------------------------------------------------

std::vector<SpanGroups> LayerTree::groupings() const {
  const auto count = [](const auto& keys) { return static_cast<std::uint32_t>(keys.size()); };
  std::vector<SpanGroups> result{{.of_span = layer_of_, .count = count(layers_.keys)},
                                 {.of_span = component_of_, .count = count(components_.keys)}};
  if (with_operations_) {
    result.push_back({.of_span = classes_, .count = count(class_names())});
  }
  return result;
}

void LayerTree::fill(const Attribution& attribution, std::span<const RootDomain> roots,
                     ProfiledRun& run) const {
  std::vector<Tally> layers(layers_.keys.size());
  std::vector<Tally> components(components_.keys.size());
  std::size_t pass = 0;
  LeafGroups before;
  for (std::size_t index = 0; index < spans_.size(); ++index) {
    if (spans_[index].level == Level::pass) {
      ++pass;
      before = {};
    }
    const LeafGroups now{.layer = layer_of_[index], .component = component_of_[index]};
    if (now.layer == kNone) {
      continue;
    }
    const Nanoseconds duration = spans_[index].duration();
    layers[now.layer].add(duration, pass, now.layer == before.layer);
    components[now.component].add(duration, pass,
                                  now.layer == before.layer && now.component == before.component);
    before = now;
  }
  const auto figure_of = [&](const Tally& tally, std::size_t grouping, std::size_t index) {
    FigureBuilder builder(roots);
    builder.add(tally.duration, attribution.group(grouping, index), tally.spans);
    return builder.build();
  };

  run.layers.clear();
  for (std::size_t index = 0; index < layers.size(); ++index) {
    const auto& [phase, layer] = *layers_.keys[index];
    run.layers.push_back({.phase = phase,
                          .layer = layer,
                          .count = layers[index].passes,
                          .figure = figure_of(layers[index], kLayers, index)});
  }
  std::ranges::sort(run.layers, {}, [](const LayerFigure& figure) {
    return std::pair{figure.phase, figure.layer};
  });

  run.components.clear();
  for (std::size_t index = 0; index < components.size(); ++index) {
    const auto& [phase, layer, component] = *components_.keys[index];
    ComponentFigure figure{.phase = phase,
                           .layer = layer,
                           .component = component,
                           .count = components[index].passes,
                           .figure = figure_of(components[index], kComponents, index)};
    if (component != kSelfComponent && component != kUntimedComponent) {
      figure.flops = work_[index].flops;
      figure.bytes = work_[index].bytes;
    }
    run.components.push_back(std::move(figure));
  }
  std::ranges::stable_sort(run.components, [](const ComponentFigure& a, const ComponentFigure& b) {
    if (std::pair{a.phase, a.layer} != std::pair{b.phase, b.layer}) {
      return std::pair{a.phase, a.layer} < std::pair{b.phase, b.layer};
    }
    return costs_more(a.figure, b.figure);
  });
  fill_table(attribution, run);
}

void LayerTree::fill_table(const Attribution& attribution, ProfiledRun& run) const {
  const Instant run_begin = recorded_.front().begin;
  std::size_t cut = 0;
  std::vector<OperationEvent> events;
  events.reserve(static_cast<std::size_t>(std::ranges::count_if(
      operation_of_, [](std::uint32_t operation) { return operation != kNone; })));
  for (std::size_t index = 0; index < spans_.size(); ++index) {
    if (operation_of_[index] == kNone) {
      continue;
    }
    const Span& span = spans_[index];
    cut += span.duration().count() > kLongestEvent ? 1U : 0U;
    events.push_back({.begin = span.begin - run_begin,
                      .energy_j = energy_of(attribution.shares(index)),
                      .duration_ns = saturated_ns(span.duration()),
                      .operation = operation_of_[index],
                      .token = span.token,
                      .phase = span.phase});
  }
  run.operation_table = {.operations = kinds_, .events = std::move(events)};
  if (cut > 0) {
    run.warnings.push_back(
        {"profile", "operations_cut",
         fmt::format(
             "{} took longer than {:.2f} s, the most that the list of operations holds: its "
             "durations are cut there; all sums are whole",
             counted(cut, "operation"), static_cast<double>(kLongestEvent) * 1e-9),
         ""});
  }
}

}  // namespace enprof
