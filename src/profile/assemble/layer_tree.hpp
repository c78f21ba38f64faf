// Layers and components: makes spans of a run's passes, and figures of the energies of the spans.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "attribution/attribution.hpp"
#include "attribution/figure_builder.hpp"
#include "record/recording.hpp"

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

/// A class of leaf spans that are taken to draw the same power: phase × component × op.
struct SpanClass {
  Phase phase = Phase::decode;
  std::string component;
  std::string op;  ///< empty if the leaf is a whole component

  friend auto operator<=>(const SpanClass&, const SpanClass&) = default;
};

/// `--depth module`. Adds the passes of a recording to its spans, as pass ▸ layer ▸ component.
/// Consecutive operations of one layer are one span, and so are consecutive operations of one
/// component in that layer. A pass's time outside its operations is the component (self); a pass
/// without stamps is the component (untimed). These two belong to no layer. So leaves fill each
/// pass, components add up to layers, and layers to passes.
class LayerTree {
 public:
  /// The recording must outlive the tree. Throws std::out_of_range if a complete pass does not have
  /// one stamp for each operation of its plan, or if its plan is unknown.
  explicit LayerTree(const RecordingView& recording) : LayerTree(recording, false) {}
  LayerTree(const LayerTree&) = delete;
  LayerTree& operator=(const LayerTree&) = delete;
  virtual ~LayerTree() = default;

  /// Input of attribute(). `classes` is by span: an index into `class_names`, or kNoClass.
  [[nodiscard]] const std::vector<Span>& spans() const { return spans_; }
  [[nodiscard]] const std::vector<std::uint32_t>& classes() const { return classes_; }
  [[nodiscard]] const std::vector<const SpanClass*>& class_names() const {
    return class_numbers_.keys;
  }
  /// The groups whose energies attribute() adds up: layers, components, and at depth deep classes.
  [[nodiscard]] std::vector<SpanGroups> groupings() const;
  /// The number of layer timings in the prefill.
  [[nodiscard]] std::size_t prefill_layer_timings() const { return prefill_layers_; }

  /// Fills in this depth's figures of a run, from the attribution of spans() with groupings().
  virtual void fill(const Attribution& attribution, std::span<const RootDomain> roots,
                    ProfiledRun& run) const;

 protected:
  static constexpr std::uint32_t kNone = SpanGroups::kNone;

  LayerTree(const RecordingView& recording, bool with_operations);

  /// Indices into groupings().
  static constexpr std::size_t kLayers = 0;
  static constexpr std::size_t kComponents = 1;
  static constexpr std::size_t kClasses = 2;

  /// The groups that a leaf belongs to. In spans that are not leaves each is kNone.
  struct LeafGroups {
    std::uint32_t layer = kNone;
    std::uint32_t component = kNone;
    std::uint32_t operation = kNone;  // index into kinds()
  };
  /// Floating-point operations and bytes of several operations; empty if those of one are unknown.
  struct Work {
    std::optional<double> flops = 0.0;
    std::optional<double> bytes = 0.0;
    void add(const std::optional<double>& more_flops, const std::optional<double>& more_bytes);
  };

  /// Whether `a` has more energy than `b`; if the energies are equal or both absent, more time.
  [[nodiscard]] static bool costs_more(const Figure& a, const Figure& b) {
    return a.total != b.total ? a.total > b.total : a.duration > b.duration;
  }
  /// By span: an index into kinds(), for an operation or, at depth module, a component; else kNone.
  [[nodiscard]] const std::vector<std::uint32_t>& kind_of_span() const { return operation_of_; }
  /// Each different OperationInfo once, in the order in which they first ran.
  [[nodiscard]] const std::vector<OperationInfo>& kinds() const { return kinds_; }

 private:
  /// Consecutive operations of a plan that belong to one layer, or to one component in it.
  struct Stretch {
    std::size_t first = 0;
    std::size_t count = 0;
    LeafGroups groups;                    // of its leaves
    std::uint32_t span_class = kNoClass;  // kNoClass: it is not a leaf
    Work work;
  };
  /// The stretches of a plan in one phase.
  struct Layout {
    std::vector<Stretch> layers;
    std::vector<Stretch> components;  // of all layers, one after another
    std::vector<Stretch> operations;  // one for each operation; empty at depth module
    std::size_t numbered_layers = 0;  // how many of `layers` have a layer number
  };
  using LayerKey = std::pair<Phase, std::int32_t>;
  using ComponentKey = std::tuple<Phase, std::int32_t, std::string>;
  /// Every field of an OperationInfo.
  using KindKey =
      std::tuple<std::int32_t, std::string, std::string, std::string, std::array<std::int64_t, 4>,
                 std::optional<double>, std::optional<double>>;
  /// Gives keys the numbers 0, 1, … in the order of their first use.
  template <class Key>
  struct Numbers {
    std::map<Key, std::uint32_t> index;
    std::vector<const Key*> keys;  // by number; keys of a map do not move

    std::uint32_t number_of(const Key& key) {
      const auto [entry, is_new] = index.emplace(key, static_cast<std::uint32_t>(keys.size()));
      if (is_new) {
        keys.push_back(&entry->first);
      }
      return entry->second;
    }
  };

  void fill_table(const Attribution& attribution, ProfiledRun& run) const;
  void add_span(const Span& span, const LeafGroups& groups, std::uint32_t span_class);
  void add_pass(const PassRecord& pass, const std::vector<std::int32_t>& index_in_tree);
  void add_operations(const PassRecord& pass, const Layout& layout, std::int32_t parent);
  void add_gap(Instant begin, Instant end, std::int32_t parent);
  [[nodiscard]] std::int32_t last() const { return static_cast<std::int32_t>(spans_.size()) - 1; }
  [[nodiscard]] const Layout& layout(std::uint32_t plan, Phase phase);
  [[nodiscard]] Layout make_layout(const OperationPlan& plan, Phase phase);
  [[nodiscard]] std::uint32_t class_of(Phase phase, const std::string& component,
                                       const std::string& op);
  [[nodiscard]] std::uint32_t kind_of(const OperationInfo& info);
  [[nodiscard]] LeafGroups groups_outside_layers(Phase phase, const char* component);

  std::span<const Span> recorded_;
  PassRecordingView passes_;
  bool with_operations_;
  std::vector<Span> spans_;
  std::vector<std::uint32_t> layer_of_;  // these four by span
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
  std::vector<Instant> ends_;  // of the operations of the pass that is being added
};

}  // namespace enprof
