// Layers and components: from the passes of a run to spans, and from their energies to figures.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "attribution/attribution.hpp"
#include "attribution/figure_builder.hpp"
#include "record/run_recorder.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace enprof {

/// What leaves of the tree of spans have in common, as far as power goes: phase × component × op.
struct SpanClass {
  Phase phase = Phase::decode;
  std::string component;
  std::string op;  ///< empty where operations are not told apart

  friend auto operator<=>(const SpanClass&, const SpanClass&) = default;
};

/// `--depth module`. Puts the passes of a recording among its spans, as pass ▸ layer ▸ component.
/// Operations of one layer that follow each other are one span, and so are those of one component
/// in it. Time of a pass outside its operations is the component (self), a pass whose operations
/// were not told apart is (untimed); both belong to no layer. So leaves fill each pass, and
/// components add up to layers, layers to passes.
class LayerTree {
 public:
  /// The recording must outlive the profiler. Throws std::out_of_range where a pass names stamps
  /// that are not in it.
  explicit LayerTree(const Recording& recording) : LayerTree(recording, false) {}
  LayerTree(const LayerTree&) = delete;
  LayerTree& operator=(const LayerTree&) = delete;
  virtual ~LayerTree() = default;

  /// As attribute() wants them. `classes` is by span: an index into `class_names`, or kNoClass.
  [[nodiscard]] const std::vector<Span>& spans() const { return spans_; }
  [[nodiscard]] const std::vector<std::uint32_t>& classes() const { return classes_; }
  [[nodiscard]] const std::vector<const SpanClass*>& class_names() const {
    return class_numbers_.keys;
  }
  /// The layers and the components, and at depth deep the classes: what attribute() is to add up.
  [[nodiscard]] std::vector<SpanGroups> groupings() const;
  /// Timings of layers in the prefill.
  [[nodiscard]] std::size_t prefill_layer_timings() const { return prefill_layers_; }

  /// Fills in what this depth knows of a run, from the attribution of spans() with groupings().
  virtual void fill(const Attribution& attribution, std::span<const RootDomain> roots,
                    ProfiledRun& run) const;

 protected:
  static constexpr std::uint32_t kNone = SpanGroups::kNone;

  LayerTree(const Recording& recording, bool with_operations);

  /// Positions in what groupings() gives.
  static constexpr std::size_t kLayers = 0;
  static constexpr std::size_t kComponents = 1;
  static constexpr std::size_t kClasses = 2;

  /// What a leaf is part of; kNone each for other spans.
  struct Meaning {
    std::uint32_t layer = kNone;
    std::uint32_t component = kNone;
    std::uint32_t operation = kNone;  // index into kinds()
  };
  /// Floating-point operations and bytes of several operations; unknown where those of one are.
  struct Work {
    std::optional<double> flops = 0.0;
    std::optional<double> bytes = 0.0;
    void add(const std::optional<double>& more_flops, const std::optional<double>& more_bytes);
  };

  /// More energy, or more time where neither has any.
  [[nodiscard]] static bool costs_more(const Figure& a, const Figure& b) {
    return a.total != b.total ? a.total > b.total : a.duration > b.duration;
  }
  [[nodiscard]] const Recording& recording() const { return recording_; }
  /// By span: the kind of an operation, at depth module of a component; kNone for what is neither.
  [[nodiscard]] const std::vector<std::uint32_t>& kind_of_span() const { return operation_of_; }
  /// Each kind once, in the order in which they first ran.
  [[nodiscard]] const std::vector<OperationInfo>& kinds() const { return kinds_; }

 private:
  /// Operations of one layer, or of one component in it, that follow each other in a plan.
  struct Stretch {
    std::size_t first = 0;
    std::size_t count = 0;
    Meaning meaning;                      // of its leaves
    std::uint32_t span_class = kNoClass;  // where it is a leaf
    Work work;
  };
  /// A plan as it runs in one phase.
  struct Layout {
    std::vector<Stretch> layers;
    std::vector<Stretch> components;  // of all layers, one after another
    std::vector<Stretch> operations;  // one each; empty below deep
    std::size_t numbered_layers = 0;  // stretches that are of a layer
  };
  using LayerKey = std::pair<Phase, std::int32_t>;
  using ComponentKey = std::tuple<Phase, std::int32_t, std::string>;
  /// Every field of an OperationInfo.
  using KindKey =
      std::tuple<std::int32_t, std::string, std::string, std::string, std::array<std::int64_t, 4>,
                 std::optional<double>, std::optional<double>>;
  /// Numbers its keys in the order in which they come.
  template <class Key>
  struct Numbers {
    std::map<Key, std::uint32_t> index;
    std::vector<const Key*> keys;  // a map's keys stay where they are

    std::uint32_t of(const Key& key) {
      const auto [entry, is_new] = index.emplace(key, static_cast<std::uint32_t>(keys.size()));
      if (is_new) {
        keys.push_back(&entry->first);
      }
      return entry->second;
    }
  };

  void fill_table(const Attribution& attribution, ProfiledRun& run) const;
  void add_span(const Span& span, const Meaning& meaning, std::uint32_t span_class);
  void add_pass(const PassRecord& pass, const std::vector<std::int32_t>& moved);
  void add_operations(const PassRecord& pass, const Layout& layout, std::int32_t parent);
  void add_gap(Instant begin, Instant end, std::int32_t parent);
  [[nodiscard]] std::int32_t last() const { return static_cast<std::int32_t>(spans_.size()) - 1; }
  [[nodiscard]] const Layout& layout(std::uint32_t plan, Phase phase);
  [[nodiscard]] Layout make_layout(const OperationPlan& plan, Phase phase);
  [[nodiscard]] std::uint32_t class_of(Phase phase, const std::string& component,
                                       const std::string& op);
  [[nodiscard]] std::uint32_t kind_of(const OperationInfo& info);
  [[nodiscard]] Meaning outside_layers(Phase phase, const char* component);

  const Recording& recording_;
  bool with_operations_;
  std::vector<Span> spans_;
  std::vector<std::uint32_t> layer_of_;  // these three by span
  std::vector<std::uint32_t> component_of_;
  std::vector<std::uint32_t> operation_of_;
  std::vector<std::uint32_t> classes_;
  Numbers<SpanClass> class_numbers_;
  std::map<std::pair<std::uint32_t, Phase>, Layout> layouts_;
  Numbers<LayerKey> layers_;
  Numbers<ComponentKey> components_;
  std::vector<OperationInfo> kinds_;
  std::map<KindKey, std::uint32_t> kind_index_;
  std::vector<Work> work_;  // by component
  std::size_t prefill_layers_ = 0;
};

}  // namespace enprof
